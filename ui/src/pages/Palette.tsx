// The command palette: finds pages and actions.

import "../styles/dialog.css";
import "../styles/palette.css";
import {
  Combobox,
  ComboboxGroup,
  ComboboxGroupLabel,
  ComboboxItem,
  ComboboxList,
  ComboboxProvider,
  Dialog,
} from "@ariakit/react";
import { Folder, Zap } from "lucide-react";
import { useMemo, useState } from "react";
import { useLocation } from "wouter";
import { useMayRun } from "../api/scope";
import { shortTask } from "../lib/format";
import { placeOf, places } from "../lib/places";
import { StateIcon } from "../parts/Icon";
import { applyTheme, THEMES } from "../parts/theme";
import { strings } from "../strings";
import { useTree } from "../tree/tree";

/** Maximum number of entries of a kind. */
const MOST = 12;

export default function Palette({ close }: { close: () => void }) {
  const { data } = useTree();
  const [location, navigate] = useLocation();
  const [text, setText] = useState("");
  const here = placeOf(location);
  const mayRun = useMayRun();
  const actions = useMemo(() => {
    const to = (label: string, address: string) => ({ label, run: () => navigate(address) });
    const project = here.project;
    return [
      ...(mayRun
        ? [
            to(
              strings.nav.newTask,
              project === undefined
                ? places.newTask
                : `${places.newTask}?project=${encodeURIComponent(project)}`,
            ),
            to(strings.nav.newProject, places.newProject),
          ]
        : []),
      to(strings.nav.overview, places.overview),
      to(strings.nav.messages, project === undefined ? places.messages : places.projectBus(project)),
      ...THEMES.map((t) => ({
        label: `${strings.theme.label}: ${strings.theme[t]}`,
        run: () => applyTheme(t),
      })),
    ];
  }, [navigate, here.project, mayRun]);

  const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (s: string): boolean => words.every((w) => s.toLowerCase().includes(w));
  const tasks = [...data.tasks.values()]
    .filter((t) => fits(`${t.project_id}/${t.id} ${t.status}`))
    .sort((a, b) => ((a.last_activity ?? "") < (b.last_activity ?? "") ? 1 : -1))
    .slice(0, MOST);
  const projects = [...data.projects.keys()].filter(fits).sort().slice(0, MOST);
  const shownActions = actions.filter((a) => fits(a.label));
  const choose = (run: () => void) => () => {
    close();
    run();
  };
  return (
    <Dialog
      open
      onClose={close}
      className="dialog palette"
      backdrop={<div className="backdrop" />}
      aria-label={strings.palette.title}
    >
      <ComboboxProvider open resetValueOnHide={false} value={text} setValue={setText} focusLoop>
        <Combobox
          autoSelect="always"
          className="palette-field"
          placeholder={strings.palette.placeholder}
          aria-label={strings.palette.title}
        />
        <ComboboxList className="palette-list" alwaysVisible>
          {tasks.length + projects.length + shownActions.length === 0 && (
            <p className="note">{strings.palette.nothing}</p>
          )}
          {words.length === 0 && <Actions actions={shownActions} choose={choose} />}
          {tasks.length > 0 && (
            <ComboboxGroup>
              <ComboboxGroupLabel className="palette-label">{strings.palette.tasks}</ComboboxGroupLabel>
              {tasks.map((t) => (
                <ComboboxItem
                  key={`${t.project_id}/${t.id}`}
                  className="palette-item"
                  onClick={choose(() => navigate(places.task(t.project_id, t.id)))}
                  setValueOnClick={false}
                >
                  <StateIcon status={t.status} />
                  <span className="list-name">{shortTask(t.id)}</span>
                  <span className="list-note">{t.project_id}</span>
                </ComboboxItem>
              ))}
            </ComboboxGroup>
          )}
          {projects.length > 0 && (
            <ComboboxGroup>
              <ComboboxGroupLabel className="palette-label">{strings.palette.projects}</ComboboxGroupLabel>
              {projects.map((p) => (
                <ComboboxItem
                  key={p}
                  className="palette-item"
                  onClick={choose(() => navigate(places.project(p)))}
                  setValueOnClick={false}
                >
                  <Folder size={16} aria-hidden />
                  <span className="list-name">{p}</span>
                </ComboboxItem>
              ))}
            </ComboboxGroup>
          )}
          {words.length > 0 && <Actions actions={shownActions} choose={choose} />}
        </ComboboxList>
      </ComboboxProvider>
      <p className="palette-hint">{strings.palette.hint}</p>
    </Dialog>
  );
}

interface ActionsProps {
  actions: { label: string; run: () => void }[];
  choose: (run: () => void) => () => void;
}

function Actions({ actions, choose }: ActionsProps) {
  if (actions.length === 0) return null;
  return (
    <ComboboxGroup>
      <ComboboxGroupLabel className="palette-label">{strings.palette.actions}</ComboboxGroupLabel>
      {actions.map((a) => (
        <ComboboxItem key={a.label} className="palette-item" onClick={choose(a.run)} setValueOnClick={false}>
          <Zap size={16} aria-hidden />
          <span className="list-name">{a.label}</span>
        </ComboboxItem>
      ))}
    </ComboboxGroup>
  );
}
