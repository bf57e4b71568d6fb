// Changes of files: a patch of git, or what an agent's tool was asked to put in place of what.

import "../styles/diff.css";
import { parsePatch, structuredPatch, type StructuredPatch } from "diff";
import { ChevronRight } from "lucide-react";
import { memo, useMemo, useState } from "react";
import { Counts } from "../parts/Counts";
import { strings } from "../strings";

/** A file with more changed lines than this is folded. */
const LONG = 400;

interface FileDiff {
  name: string;
  note: string | null;
  hunks: StructuredPatch["hunks"];
  added: number;
  removed: number;
}

const stripped = (name: string | undefined): string | undefined =>
  name === undefined || name === "/dev/null" ? undefined : name.replace(/^[ab]\//, "").replace(/\t.*$/, "");

/** A patch as hunks; none if it is not one. */
function hunksOf(text: string): StructuredPatch[] {
  try {
    return /^@@ /m.test(text) ? parsePatch(text) : [];
  } catch {
    return [];
  }
}

/** The files of a patch; a part that is no patch is left out. */
export function filesOf(text: string): FileDiff[] {
  // Git's own headers hold what a patch without lines says: renames, modes, binaries.
  const parts = /^diff --git /m.test(text) ? text.split(/^(?=diff --git )/m) : [text];
  return parts.flatMap((part) => {
    const header = /^diff --git (?:"?a\/(.+?)"?) (?:"?b\/(.+?)"?)$/m.exec(part);
    const from = /^rename from (.+)$/m.exec(part)?.[1];
    const note = /^new file mode/m.test(part)
      ? strings.diff.added
      : /^deleted file mode/m.test(part)
        ? strings.diff.deleted
        : from !== undefined
          ? strings.diff.renamed(from)
          : /^(Binary files|GIT binary patch)/m.test(part)
            ? strings.diff.binary
            : null;
    const body = part.slice(Math.max(0, part.search(/^--- /m)));
    const parsed = hunksOf(body);
    if (parsed.length === 0) {
      return header === null ? [] : [{ name: header[2] ?? "", note, hunks: [], added: 0, removed: 0 }];
    }
    return parsed.map((file) => {
      const lines = file.hunks.flatMap((h) => h.lines);
      return {
        name: stripped(file.newFileName) ?? stripped(file.oldFileName) ?? header?.[2] ?? "",
        note,
        hunks: file.hunks,
        added: lines.filter((l) => l.startsWith("+")).length,
        removed: lines.filter((l) => l.startsWith("-")).length,
      };
    });
  });
}

/** A patch, file by file. */
export const DiffText = memo(function DiffText({
  text,
  compact = false,
}: {
  text: string;
  compact?: boolean;
}) {
  const files = useMemo(() => filesOf(text), [text]);
  if (files.length === 0) return <pre tabIndex={0}>{text}</pre>;
  return (
    <div className="diff">
      {!compact && files.length > 1 && (
        <p className="diff-sum">
          {strings.diff.files(files.length)}
          <Counts added={sum(files, "added")} removed={sum(files, "removed")} />
        </p>
      )}
      {files.map((file, n) => (
        <FileChanges key={n} file={file} />
      ))}
    </div>
  );
});

const sum = (files: FileDiff[], what: "added" | "removed"): number => files.reduce((s, f) => s + f[what], 0);

/** The change that an editing tool was asked to make. */
export const EditDiff = memo(function EditDiff({
  path,
  before,
  after,
}: {
  path: string;
  before: string;
  after: string;
}) {
  const file = useMemo<FileDiff>(() => {
    const { hunks } = structuredPatch(path, path, before, after, undefined, undefined, { context: 3 });
    const lines = hunks.flatMap((h) => h.lines);
    return {
      name: path,
      note: null,
      hunks,
      added: lines.filter((l) => l.startsWith("+")).length,
      removed: lines.filter((l) => l.startsWith("-")).length,
    };
  }, [path, before, after]);
  return (
    <div className="diff">
      <FileChanges file={file} />
    </div>
  );
});

function FileChanges({ file }: { file: FileDiff }) {
  const total = file.hunks.reduce((n, h) => n + h.lines.length, 0);
  const [open, setOpen] = useState(total <= LONG);
  return (
    <section className="diff-file">
      <button type="button" className="diff-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        <ChevronRight size={15} className="fold-sign" data-open={open} aria-hidden />
        <code>{file.name}</code>
        {file.note !== null && <span className="diff-note">{file.note}</span>}
        <Counts added={file.added} removed={file.removed} />
        {!open && total > LONG && <span className="diff-note">{strings.diff.tooLong(total)}</span>}
      </button>
      {open && file.hunks.length > 0 && (
        <div className="diff-lines" tabIndex={0} role="group" aria-label={file.name}>
          <table>
            <tbody>
              {file.hunks.map((hunk, n) => (
                <Hunk key={n} hunk={hunk} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Hunk({ hunk }: { hunk: StructuredPatch["hunks"][number] }) {
  let [before, after] = [hunk.oldStart, hunk.newStart];
  return (
    <>
      <tr className="diff-hunk">
        <td colSpan={3}>
          @@ −{hunk.oldStart},{hunk.oldLines} +{hunk.newStart},{hunk.newLines} @@
        </td>
      </tr>
      {hunk.lines.map((line, n) => {
        const sign = line[0] ?? " ";
        const kind = sign === "+" ? "add" : sign === "-" ? "del" : sign === "\\" ? "end" : "same";
        const numbers = [
          kind === "add" || kind === "end" ? "" : before,
          kind === "del" || kind === "end" ? "" : after,
        ];
        if (kind === "same" || kind === "del") before += 1;
        if (kind === "same" || kind === "add") after += 1;
        return (
          <tr key={n} className={`diff-${kind}`}>
            <td className="diff-number">{numbers[0]}</td>
            <td className="diff-number">{numbers[1]}</td>
            <td className="diff-text">
              <span className="diff-sign">{sign === "\\" ? "" : sign}</span>
              {line.slice(1)}
            </td>
          </tr>
        );
      })}
    </>
  );
}
