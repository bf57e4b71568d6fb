// The search field and the filter of the tree.

import { Search, X } from "lucide-react";
import { strings } from "../strings";
import { FILTERS, type Filter } from "./rows";

interface Props {
  search: string;
  setSearch: (text: string) => void;
  filter: Filter;
  setFilter: (filter: Filter) => void;
  /** Moves the focus from the field to the rows. */
  down: () => void;
}

export function TreeHead({ search, setSearch, filter, setFilter, down }: Props) {
  return (
    <div className="tree-head">
      <label className="field-icon">
        <Search size={15} aria-hidden />
        <input
          type="search"
          id="tree-search"
          placeholder={strings.tree.search}
          aria-label={strings.tree.search}
          value={search}
          onChange={(e) => setSearch(e.target.value)}
          onKeyDown={(e) => {
            if (e.key === "ArrowDown") {
              down();
              e.preventDefault();
            }
          }}
        />
        {search !== "" && (
          <button
            type="button"
            className="field-clear"
            aria-label={strings.tree.clear}
            onClick={() => setSearch("")}
          >
            <X size={14} aria-hidden />
          </button>
        )}
      </label>
      <div className="chips" role="group" aria-label={strings.tree.filterLabel}>
        {FILTERS.map((f) => (
          <button key={f} type="button" aria-pressed={filter === f} onClick={() => setFilter(f)}>
            {strings.tree.filters[f]}
          </button>
        ))}
      </div>
    </div>
  );
}
