// Modules that are loaded only when they are needed for rendering.

import { lazy } from "react";

export const Markdown = lazy(() => import("./Markdown"));
export const DiffText = lazy(() => import("./Diff").then((m) => ({ default: m.DiffText })));
export const EditDiff = lazy(() => import("./Diff").then((m) => ({ default: m.EditDiff })));
export const Graph = lazy(() => import("./Graph"));
export const Chart = lazy(() => import("./Chart"));
