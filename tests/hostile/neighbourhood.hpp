// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "tests/support/load.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/usher_process.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace usher::test {

/// A master that is root, an innocent pool with clients, a pool of another user's whose workers are
/// hostile (tests/hostile/worker.py), and strangers of the same machine
/// (tests/hostile/stranger.py).
class Neighbourhood {
public:
    /// The worst that innocent clients may see.  The machine of a test may be busy, so that this is
    /// no measure: scripts/bench --hostile is.
    static constexpr std::chrono::milliseconds longest_gap{1'000};

    /// Users that are neither the master's nor each other's.
    static constexpr uid_t worker_user = 65'534;
    static constexpr uid_t stranger_user = 65'533;

    Neighbourhood();
    ~Neighbourhood();
    Neighbourhood(const Neighbourhood&) = delete;
    Neighbourhood& operator=(const Neighbourhood&) = delete;

    /// False, with a message that says why, where this machine cannot be root and two others.
    [[nodiscard]] static bool is_possible();

    /// Has the hostile pool's workers run `worker.py MODE ARGUMENTS...`.
    void workers_do(const std::string& mode, const std::vector<std::string>& arguments = {});

    /// All that this neighbourhood knows, one after the other; as in tests/hostile/cases.json.
    [[nodiscard]] static nlohmann::json all_cases();

    /// Adds a hostile pool of its own that does `each` of all_cases(), the `number`th; its
    /// strangers come with start_strangers_of().
    void add(const nlohmann::json& each, std::size_t number);
    void start_strangers_of(const nlohmann::json& each);

    /// Writes the configuration and starts the master, with clients of the innocent pool;
    /// `in_child` runs between fork and exec.  Waits for the innocent workers only.
    UsherProcess& start(const std::function<void()>& in_child = {});

    /// Runs `stranger.py MODE ARGUMENTS...` until the end of the scope.
    void stranger_does(const std::string& mode, const std::vector<std::string>& arguments = {});

    /// Waits until a worker or stranger has written `line` (by its function say()).
    void wait_for(const std::string& line);

    /// All lines that workers and strangers have written so far.
    [[nodiscard]] std::string said() const;

    /// Goes on for `time`, and checks that no innocent client noticed.
    void check_innocent(std::chrono::milliseconds time = std::chrono::seconds{3});

    /// Replaces the innocent pool's workers, reloads all, and tells the master to stop, which must
    /// do so although somebody hangs.
    void check_life();
    /// Waits for the end that check_life() has begun.
    void check_end();

    /// To be run in the child: a kernel before 6.16, which has no SO_PASSRIGHTS (unix(7)).
    static void have_older_kernel();

    /// What is configured: `pool` is the hostile one, and `innocent` the other.
    nlohmann::json pool;
    nlohmann::json innocent;
    nlohmann::json more = nlohmann::json::array(); ///< pools, hostile as well

    /// A folder that belongs to the workers' user, and one that everybody may write to.
    [[nodiscard]] std::string workers_folder() const { return folder_.path() / "workers"; }
    [[nodiscard]] std::string common_folder() const { return folder_.path() / "common"; }
    /// Where only the master may write.
    [[nodiscard]] std::string masters_folder() const { return folder_.path() / "master"; }
    [[nodiscard]] std::string config_path() const
    {
        return folder_.path() / "master" / "usher.json";
    }
    void write() const;

private:
    TempDir folder_;
    std::optional<UsherProcess> usher_;
    std::optional<Load> load_;
    std::vector<pid_t> strangers_;
};

} // namespace usher::test
