// Tells an answer in output.md from the driver's note about a missing one, by the rule of `view::answer` in the daemon.

const NO_ANSWER = "(the run left no answer: ";
const NOT_HEARD = "(a session at a terminal: what was said there was not recorded)";

export function isAnswer(text: string): boolean {
  const bare = text.trim();
  const excuse = bare.startsWith(NO_ANSWER) && bare.endsWith(")");
  return bare !== "" && !excuse && bare !== NOT_HEARD;
}
