// What the API says, under the names that the page uses.

export type TaskStatus = "queued" | "blocked" | "running" | "completed" | "failed" | "stopped" | "idle";
export type RunStatus = "created" | "running" | "completed" | "failed" | "stopped" | "crashed" | "unknown";

export interface Project {
  id: string;
  last_activity: string;
  task_count: number;
  project_root?: string;
}

export interface ThreadParent {
  project_id: string;
  task_id: string;
  run_id: string;
  message_id: string;
}

export interface TaskItem {
  id: string;
  project_id: string;
  status: TaskStatus;
  agent: string;
  last_activity?: string;
  created_at?: string;
  run_count: number;
  run_counts: Record<string, number>;
  depends_on: string[];
  blocked_by: string[];
  thread_parent?: ThreadParent;
  parent_task_id?: string;
  done: boolean;
  last_run_status?: RunStatus;
  last_run_exit_code?: number;
  queue_position?: number;
  reason: string;
  usage?: Usage;
}

export interface Usage {
  input_tokens?: number;
  output_tokens?: number;
  cached_tokens?: number;
  cost_usd?: number;
}

export interface DiffStat {
  files: number;
  insertions: number;
  deletions: number;
}

export interface RunFile {
  name: string;
  label: string;
  size: number;
}

export interface Run {
  id: string;
  project_id: string;
  task_id: string;
  status: RunStatus;
  agent: string;
  agent_version?: string;
  model?: string;
  attempt?: number;
  start_time?: string;
  end_time?: string;
  exit_code?: number;
  error_summary: string;
  cwd?: string;
  parent_run_id?: string;
  previous_run_id?: string;
  usage?: Usage;
  diffstat?: DiffStat;
  files?: RunFile[];
}

export interface TaskDetail extends TaskItem {
  runs: Run[];
}

export interface Message {
  msg_id: string;
  timestamp: string;
  type: string;
  project_id: string;
  task_id?: string;
  run_id?: string;
  parents?: string[];
  links?: { url: string; label?: string }[];
  meta?: Record<string, unknown>;
  body: string;
}

export interface FileText {
  name: string;
  content: string;
  modified: string;
  size_bytes: number;
  offset?: number;
  truncated?: boolean;
}

export interface Started {
  project_id: string;
  task_id: string;
  run_id: string;
  status: "started" | "queued";
  queue_position: number;
  depends_on: string[];
  reason?: string;
}

export interface NewTask {
  project_id: string;
  task_id: string;
  agent_type: string;
  prompt: string;
  depends_on?: string[];
  cwd?: string;
  config?: Record<string, unknown>;
  thread_parent?: ThreadParent;
  thread_message_type?: "USER_REQUEST";
}

export interface Agent {
  name: string;
  type: string;
  installed: boolean;
  version?: string;
  program?: string;
  problem?: string;
}

export interface Status {
  active_runs_count: number;
  uptime_seconds: number;
  configured_agents: string[];
  version: string;
}
