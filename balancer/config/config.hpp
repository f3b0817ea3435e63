// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/bus_config.hpp"
#include "balancer/config/dialect.hpp"
#include "balancer/config/hooks_config.hpp"
#include "balancer/config/node_config.hpp"
#include "balancer/config/run_as_config.hpp"
#include "balancer/config/store_config.hpp"
#include "balancer/config/watch_config.hpp"
#include "common/log.hpp"
#include "common/sys/fd/file_owner.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <csignal>

namespace usher {

/// Where a pool listens, as the user wrote it.
struct ListenConfig {
    /// "8000", "127.0.0.1:8000", "[::]:8000", "localhost:0", "unix:/path", "unix:@name"
    std::string address;
    std::string name; ///< of the inherited sockets that are for it; may be empty

    /// IPv6 only: refuse IPv4-mapped connections.  Always set on the socket, so that the
    /// system's net.ipv6.bindv6only never decides.
    bool v6only = false;

    std::optional<unsigned> mode; ///< of a Unix socket's file, e.g. 0660; unset: the umask decides
    std::string owner;            ///< of that file, a name or a number; empty: usher's user
    std::string group;            ///< the same
    sys::FileOwner file_owner{};  ///< what these stand for: see resolve_accounts()

    friend bool operator==(const ListenConfig&, const ListenConfig&) = default;
};

/// When a worker that ended is started again.
struct RestartConfig {
    /// After which end another is started at all.
    enum class On {
        always,
        failure, ///< any but exit code 0
        never,
    };

    /// What happens after too many failures in a row.
    enum class GiveUp {
        never, ///< the slot is tried on at the longest delay
        exit,  ///< it stays down, and when the last of its pool has, usher ends
    };

    On on = On::always;
    std::chrono::milliseconds first_delay{100};
    std::chrono::milliseconds longest_delay{30'000};
    std::chrono::milliseconds healthy_after{10'000}; ///< a run this long forgives earlier failures
    unsigned give_up_after = 10;                     ///< failures in a row
    GiveUp give_up = GiveUp::never;

    friend bool operator==(const RestartConfig&, const RestartConfig&) = default;
};

/// How a reload brings in the next generation.
struct ReloadConfig {
    enum class Strategy {
        rolling,     ///< slot by slot, at most `max_surge` at a time
        all_at_once, ///< the whole generation ready, then one switch
    };

    Strategy strategy = Strategy::rolling;
    unsigned max_surge = 1;       ///< most workers above the configured number while rolling
    unsigned max_unavailable = 0; ///< most slots that may go without a worker, if max_surge is 0

    /// The old generation waits this long, without connections, behind the new one; a crash of
    /// the new one brings it back.
    std::chrono::milliseconds soak{0};

    /// Most generations that may still be draining; the oldest is ended early.
    unsigned max_old_generations = 3;

    friend bool operator==(const ReloadConfig&, const ReloadConfig&) = default;
};

/// The question that a worker answers before it counts as ready.
struct ProbeConfig {
    std::string path;                         ///< "/health"
    unsigned expect = 200;                    ///< the HTTP status of a worker that is ready
    std::chrono::milliseconds timeout{2'000}; ///< of one question

    friend bool operator==(const ProbeConfig&, const ProbeConfig&) = default;
};

/// Where what the workers write to their standard output and error goes.
struct OutputConfig {
    enum class Kind {
        standard_error, ///< the master's, each line with its worker's name before it
        inherit,        ///< the master's own descriptors, untouched
        file,
    };

    /// What happens to lines that come faster than the file takes them.
    enum class OnFull {
        block, ///< the workers wait
        drop,  ///< they are dropped, and counted
    };

    Kind kind = Kind::standard_error;
    log::Format format = log::Format::text; ///< of each line
    bool prefix = true;                     ///< `[pool/slot] ` before each line of text

    std::string file;                             ///< a slot text; empty: standard error
    std::string errors;                           ///< for standard error alone; empty: as output
    std::uint64_t max_size = 10ULL * 1024 * 1024; ///< bytes; then it is renamed and begun anew
    unsigned max_files = 5;                       ///< renamed ones that are kept
    OnFull on_full = OnFull::block;

    friend bool operator==(const OutputConfig&, const OutputConfig&) = default;
};

/// When a worker that serves well is replaced all the same; 0: never.
struct RecycleConfig {
    std::uint64_t max_connections = 0;    ///< handed to it
    std::chrono::milliseconds max_age{0}; ///< since it was ready
    std::uint64_t max_memory = 0;         ///< bytes: its proportional set size

    friend bool operator==(const RecycleConfig&, const RecycleConfig&) = default;
};

/// How a worker shows that it is ready.
enum class Readiness {
    automatic, ///< as its dialect has it
    notify,    ///< by READY=1 to NOTIFY_SOCKET, sd_notify(3)
};

/// Who gets the signals that end a worker.
enum class StopScope {
    group,  ///< all of its process group
    leader, ///< the process that was started; what it leaves behind when it has ended
};

/// Identical workers started from one command, and the listeners that feed them.
struct PoolConfig {
    std::string name = "default";
    /// Program and arguments; the program is found by PATH.  Slot texts, see fill_slot().
    std::vector<std::string> command;
    Dialect dialect = Dialect::automatic;
    NodeConfig node;    ///< for dialect node
    bool share = false; ///< for dialect listen-fds: one listening socket for all, not one for each
    unsigned workers = 0; ///< 0: `auto`, the CPUs the master may use
    std::vector<ListenConfig> listen;
    unsigned backlog = 4096;                ///< listen(2); the kernel caps it at net.core.somaxconn
    std::vector<std::string> env_files;     ///< of variables that are added to the master's own
    std::map<std::string, std::string> env; ///< added to both; the values are slot texts
    std::string cwd;                        ///< empty: the master's own
    RunAsConfig run_as;

    unsigned max_queue = 64; ///< most connections handed to a worker that it has not taken yet
    /// How long they wait for a worker that takes none until idle ones get them; 0: for ever.
    std::chrono::milliseconds move_after{100};

    std::chrono::milliseconds start_timeout{30'000}; ///< from start to `ready`
    Readiness ready = Readiness::automatic;
    /// For dialects listen-fds and none.
    std::optional<std::chrono::milliseconds> start_delay;
    static constexpr std::chrono::milliseconds default_start_delay{1'000}; ///< if that is unset
    std::optional<ProbeConfig> probe; ///< unset: its word is enough
    unsigned start_attempts =
        3; ///< failed starts of each slot before a pool that was never ready gives up
    std::chrono::milliseconds drain_timeout{30'000}; ///< from end-of-file to SIGTERM
    std::chrono::milliseconds stop_grace{5'000};     ///< from SIGTERM to SIGKILL
    int stop_signal = SIGTERM;
    StopScope stop_scope = StopScope::group;

    std::chrono::milliseconds stall_timeout{10'000}; ///< until a worker counts as hung; 0: never
    int hang_signal = SIGABRT;

    RecycleConfig recycle;
    OutputConfig output;
    RestartConfig restart;
    ReloadConfig reload;
    WatchConfig watch;
    BusConfig bus;
    StoreConfig store;
    HooksConfig hooks;

    friend bool operator==(const PoolConfig&, const PoolConfig&) = default;
};

/// All that `usher run` needs to know.
struct Config {
    std::vector<PoolConfig> pools;
    log::Level log_level = log::Level::info;
    log::Format log_format = log::Format::text;
    std::chrono::milliseconds lame_duck{0}; ///< from the signal to stop until the listeners close

    friend bool operator==(const Config&, const Config&) = default;
};

} // namespace usher
