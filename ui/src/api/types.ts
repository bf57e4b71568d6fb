// Types of the API under the names that the page uses. They come from its OpenAPI document: see types.js.

import type { components } from "./schema";

type Schemas = components["schemas"];

/** An unknown value is left out: an optional field is never null. */
type Told<T> = T extends (infer E)[]
  ? Told<E>[]
  : T extends object
    ? { [K in keyof T]: Told<undefined extends T[K] ? Exclude<T[K], null> : T[K]> }
    : T;

export type TaskStatus = Schemas["TaskStatus"];
/** `unknown`: its record cannot be read. */
export type RunStatus = Schemas["RunStatus"] | "unknown";

export type Project = Told<Schemas["Project"]>;
export type Stats = Told<Schemas["Stats"]>;
export type TaskItem = Told<Schemas["TaskItem"]>;
export type Usage = Told<Schemas["Usage"]>;
export type RunFile = Schemas["File"];
export type Run = Omit<Told<Schemas["ProjectRun"]>, "status"> & { status: RunStatus };
export type TaskDetail = Omit<Told<Schemas["TaskDetail"]>, "runs"> & { runs: Run[] };

export type Message = Told<Schemas["BusMessage"]>;
export type Messages = Told<Schemas["Messages"]>;

export type FileText = Told<Schemas["FileText"]>;
/** The offsets of the lines of a file. */
export type LineIndex = Schemas["LineIndex"];
export type Lines = Told<Schemas["Lines"]>;
export type LineMatches = Schemas["LineMatches"];

export type NewTask = Schemas["NewTask"];
export type Started = Told<Schemas["Started"]>;

export type Agent = Told<Schemas["Agent"]>;
export type Status = Told<Schemas["Status"]>;
export type Activity = Told<Schemas["Activity"]>;
export type DiskUse = Schemas["Disk"];
/** The identity behind the key, and its scope. */
export type WhoAsks = Told<Schemas["WhoAsks"]>;
