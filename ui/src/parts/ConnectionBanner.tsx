// Says so when what is shown is not live, and how old it is.

import { useNow } from "../lib/clock";
import { useExternal } from "../lib/external";
import { ago } from "../lib/format";
import { connection, reconnect } from "../live/stream";
import { strings } from "../strings";

/** A daemon that restarts is away for a moment: that is not worth a banner. */
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
