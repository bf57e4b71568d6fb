// The frame: the login, the bars and the tree around each page, and the routes.

import { Component, lazy, Suspense, useCallback, useEffect, useState, type ReactNode } from "react";
import { Route, Switch, useLocation } from "wouter";
import { storedKey, storeKey } from "./api/client";
import { exchangeCode, hasCode } from "./api/signin";
import { Attention } from "./bus/Attention";
import * as stream from "./live/stream";
import { useWide } from "./lib/wide";
import { NoSuch, Loading } from "./parts/parts";
import { ConnectionBanner } from "./parts/ConnectionBanner";
import { BottomBar, TopBar } from "./parts/Bars";
import { MayRunPage } from "./parts/MayRun";
import { strings } from "./strings";
import { TreePane } from "./tree/TreePane";

const Overview = lazy(() => import("./pages/Overview"));
const ProjectPage = lazy(() => import("./pages/ProjectPage"));
const TaskPage = lazy(() => import("./pages/TaskPage"));
const RunPage = lazy(() => import("./pages/RunPage"));
const MessagesPage = lazy(() => import("./pages/MessagesPage"));
const NewTaskPage = lazy(() => import("./pages/NewTaskPage"));
const NewProjectPage = lazy(() => import("./pages/NewProjectPage"));
const Login = lazy(() => import("./pages/Login"));
const Palette = lazy(() => import("./pages/Palette"));

export function App() {
  const [locked, setLocked] = useState(false);
  const [entering, setEntering] = useState(hasCode);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [palette, setPalette] = useState(false);
  const [location] = useLocation();
  const wide = useWide();

  useEffect(() => {
    stream.start(() => setLocked(true));
    if (!hasCode()) return;
    exchangeCode().then(
      () => setEntering(false),
      () => {
        // If a key is required, the page shows the login next.
        setRefusal(strings.login.expired);
        setEntering(false);
      },
    );
  }, []);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setPalette((open) => !open);
      } else if (event.key === "/" && !isTyping(event.target)) {
        const search = document.getElementById("tree-search");
        if (search !== null) {
          event.preventDefault();
          search.focus();
        }
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  const openPalette = useCallback(() => setPalette(true), []);

  if (entering) return <Loading label={strings.login.exchanging} />;
  if (locked) {
    return (
      <Suspense fallback={<Loading />}>
        <Login
          problem={refusal ?? (storedKey() === null ? null : strings.login.wrong)}
          opened={() => {
            setRefusal(null);
            setLocked(false);
            stream.reconnect();
          }}
        />
      </Suspense>
    );
  }
  const treeIsPage = !wide && location === "/tasks";
  return (
    <div className="frame">
      <a className="skip" href="#content">
        {strings.nav.skip}
      </a>
      <TopBar
        openPalette={openPalette}
        signOut={
          storedKey() === null
            ? undefined
            : () => {
                storeKey(null);
                setLocked(true);
              }
        }
      />
      <ConnectionBanner />
      <Attention />
      {wide && (
        <aside className="side" aria-label={strings.nav.tasks}>
          <TreePane />
        </aside>
      )}
      <main id="content" className={treeIsPage ? "main main-tree" : "main"} tabIndex={-1}>
        <Caught key={location}>
          <Suspense fallback={<Loading />}>
            <Switch>
              <Route path="/">
                <Overview />
              </Route>
              <Route path="/tasks">{treeIsPage ? <TreePage /> : <Overview />}</Route>
              <Route path="/messages">
                <MessagesPage />
              </Route>
              <Route path="/new">
                <MayRunPage>
                  <NewTaskPage />
                </MayRunPage>
              </Route>
              <Route path="/new-project">
                <MayRunPage>
                  <NewProjectPage />
                </MayRunPage>
              </Route>
              <Route path="/p/:project/messages">{(p) => <MessagesPage project={named(p.project)} />}</Route>
              <Route path="/p/:project/t/:task/r/:run/:view?">
                {(p) => (
                  <RunPage
                    key={p.run}
                    project={named(p.project)}
                    task={named(p.task)}
                    run={named(p.run)}
                    view={p.view}
                  />
                )}
              </Route>
              <Route path="/p/:project/t/:task/:view?">
                {(p) => (
                  <TaskPage
                    key={`${p.project}/${p.task}`}
                    project={named(p.project)}
                    task={named(p.task)}
                    view={p.view}
                  />
                )}
              </Route>
              <Route path="/p/:project">
                {(p) => <ProjectPage key={p.project} project={named(p.project)} />}
              </Route>
              <Route>
                <NoSuch title={strings.error.notFound} />
              </Route>
            </Switch>
          </Suspense>
        </Caught>
      </main>
      {!wide && <BottomBar />}
      {palette && (
        <Suspense fallback={null}>
          <Palette close={() => setPalette(false)} />
        </Suspense>
      )}
    </div>
  );
}

/** On a phone the tree is a page of its own. */
function TreePage() {
  return (
    <>
      <h1 className="sr">{strings.nav.tasks}</h1>
      <TreePane />
    </>
  );
}

function named(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

/** Contains a crash of one page, so that the frame still works. */
class Caught extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    // A chunk of an older build is gone after an upgrade of the daemon.
    const missing = /dynamically imported module|Importing a module/.test(error.message);
    const away = missing && stream.connection.get().state !== "live";
    const outdated = missing && !away;
    return (
      <div className="failure" role="alert">
        <p className="empty-title">
          {away ? strings.error.unreachable : outdated ? strings.error.outdated : strings.error.page}
        </p>
        {!missing && <p>{error.message}</p>}
        <button type="button" className="button" onClick={() => window.location.reload()}>
          {strings.error.reload}
        </button>
      </div>
    );
  }
}
