// The choice of dependencies.

import { X } from "lucide-react";
import type { TaskItem } from "../api/types";
import { shortTask } from "../lib/format";
import { StateIcon } from "../parts/Icon";
import { strings } from "../strings";
import { Field } from "./Field";

/** Maximum number of tasks in the list. */
const MOST = 500;

interface Props {
  /** The tasks of the project. */
  tasks: TaskItem[];
  value: string[];
  change: (after: string[]) => void;
}

export function AfterField({ tasks, value, change }: Props) {
  const others = tasks
    .filter((t) => !value.includes(t.id))
    .sort((a, b) => ((a.created_at ?? "") < (b.created_at ?? "") ? 1 : -1));
  return (
    <Field label={strings.form.dependsOn} hint={strings.form.dependsHint} problem={null}>
      {(p) => (
        <div className="depends">
          {value.length > 0 && (
            <ul className="tags">
              {value.map((id) => (
                <li key={id} className="tag">
                  <StateIcon status={tasks.find((t) => t.id === id)?.status ?? "unknown"} size={13} />
                  {shortTask(id)}
                  <button
                    type="button"
                    aria-label={strings.form.remove(shortTask(id))}
                    onClick={() => change(value.filter((d) => d !== id))}
                  >
                    <X size={13} aria-hidden />
                  </button>
                </li>
              ))}
            </ul>
          )}
          <select
            {...p}
            value=""
            disabled={others.length === 0}
            onChange={(e) => change([...value, e.target.value])}
          >
            <option value="">{strings.form.addDependency}</option>
            {others.slice(0, MOST).map((t) => (
              <option key={t.id} value={t.id}>
                {shortTask(t.id)} ({strings.status[t.status]})
              </option>
            ))}
          </select>
        </div>
      )}
    </Field>
  );
}
