import { describe, expect, it } from "vitest";
import { filesOf } from "./Diff";

const PATCH = `diff --git a/a.txt b/a.txt
index 1..2 100644
--- a/a.txt
+++ b/a.txt
@@ -1,2 +1,2 @@
 same
-old
+new
diff --git a/old name.md b/new name.md
similarity index 100%
rename from old name.md
rename to new name.md
diff --git a/made b/made
new file mode 100644
index 0..1
--- /dev/null
+++ b/made
@@ -0,0 +1 @@
+hi
diff --git a/x.png b/x.png
index 1..2 100644
Binary files a/x.png and b/x.png differ
`;

describe("a patch of git", () => {
  it("is told file by file, with what has no lines", () => {
    const files = filesOf(PATCH);
    expect(files.map((f) => [f.name, f.added, f.removed])).toEqual([
      ["a.txt", 1, 1],
      ["new name.md", 0, 0],
      ["made", 1, 0],
      ["x.png", 0, 0],
    ]);
    expect(files.map((f) => f.note)).toEqual([null, "renamed from old name.md", "added", "Binary file"]);
  });

  it("may be a part of one, or none at all", () => {
    expect(filesOf("@@ -1,2 +1,2 @@\n a\n-b\n+c\n")[0]?.hunks).toHaveLength(1);
    expect(filesOf("no patch")).toEqual([]);
    expect(filesOf("@@ nonsense @@\n?")).toEqual([]);
  });
});
