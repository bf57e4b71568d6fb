// The addresses of the page, below /ui.

const part = encodeURIComponent;

export const places = {
  overview: "/",
  tasks: "/tasks",
  messages: "/messages",
  newTask: "/new",
  newProject: "/new-project",
  project: (p: string) => `/p/${part(p)}`,
  projectBus: (p: string) => `/p/${part(p)}/messages`,
  task: (p: string, t: string, view?: string) => `/p/${part(p)}/t/${part(t)}${view ? `/${view}` : ""}`,
  run: (p: string, t: string, r: string, view?: string) =>
    `/p/${part(p)}/t/${part(t)}/r/${part(r)}${view ? `/${view}` : ""}`,
};

/** Returns the project, task and run of an address. */
export function placeOf(location: string): { project?: string; task?: string; run?: string } {
  const found = /^\/p\/([^/]+)(?:\/t\/([^/]+)(?:\/r\/([^/]+))?)?/.exec(location);
  if (!found) return {};
  const [project, task, run] = found
    .slice(1)
    .map((p) => (p === undefined ? undefined : decodeURIComponent(p)));
  return {
    ...(project === undefined ? {} : { project }),
    ...(task === undefined ? {} : { task }),
    ...(run === undefined ? {} : { run }),
  };
}
