// Starts the page.

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { ApiError } from "./api/client";
import { App } from "./App";
import { applyTheme } from "./parts/theme";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/buttons.css";
import "./styles/fields.css";
import "./styles/states.css";
import "./styles/cards.css";
import "./styles/lists.css";
import "./styles/facts.css";
import "./styles/notices.css";
import "./styles/shell.css";
import "./styles/tree.css";
import "./styles/pages.css";
import "./styles/panes.css";

applyTheme();

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // The stream delivers changes, so a query is fetched only once.
      staleTime: Infinity,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (failures, error) => failures < 2 && (!(error instanceof ApiError) || error.status === 0),
    },
  },
});

const root = document.getElementById("app");
if (root !== null) {
  createRoot(root).render(
    <QueryClientProvider client={client}>
      <Router base="/ui">
        <App />
      </Router>
    </QueryClientProvider>,
  );
}
