// A banner for a lost connection, with the age of the shown data.

import { useNow } from "../lib/clock";
import { useExternal } from "../lib/external";
import { ago } from "../lib/format";
import { connection, reconnect } from "../live/stream";
import { strings } from "../strings";

/** The banner waits this long, because a restarting daemon is soon back. */
const PATIENCE = 1500;

export function ConnectionBanner() {
  const { state, since, fresh } = useExternal(connection);
  const away = state === "lost" || state === "connecting";
  const now = useNow(away ? 500 : null);
  if (!away || now - since < PATIENCE) return null;
  return (
    <div className="banner" role="alert">
      <span>{strings.connection.lostFor(ago(now - fresh))}</span>
      <button type="button" className="button small" onClick={reconnect}>
        {strings.connection.retry}
      </button>
    </div>
  );
}
