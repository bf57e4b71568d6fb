// Whether an output.md is an answer: `view::answer` of the daemon has the same rule.

const NO_ANSWER = "(the run left no answer: ";
const NOT_HEARD = "(a session at a terminal: what was said there was not recorded)";

export function isAnswer(text: string): boolean {
  const bare = text.trim();
  const excuse = bare.startsWith(NO_ANSWER) && bare.endsWith(")");
  return bare !== "" && !excuse && bare !== NOT_HEARD;
}
