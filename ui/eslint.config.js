import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules", "test-results", "playwright-report", "src/api/schema.d.ts"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    // The rules for the React compiler are left out: it is not used.
    files: ["src/**/*.{ts,tsx}"],
    plugins: { "react-hooks": hooks },
    rules: { "react-hooks/rules-of-hooks": "error", "react-hooks/exhaustive-deps": "error" },
  },
  { files: ["*.js"], languageOptions: { globals: { URL: "readonly" } } },
  {
    rules: {
      "no-console": "error",
      eqeqeq: "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      // Text that an agent wrote becomes HTML in one place, behind the sanitiser.
      "no-restricted-syntax": [
        "error",
        {
          selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
          message: "Only src/render/Markdown.tsx makes HTML of a text.",
        },
        { selector: "MemberExpression[property.name='innerHTML']", message: "Build elements instead." },
      ],
    },
  },
  { files: ["src/render/Markdown.tsx"], rules: { "no-restricted-syntax": "off" } },
);
