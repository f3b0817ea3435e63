// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include <sys/types.h>

/// What /proc shows of processes.
namespace usher::proc {

/// The entry `name` of `process`.
[[nodiscard]] std::filesystem::path entry(pid_t process, const char* name);

/// By what the descriptors of other processes are known as the same files as `fds`.
[[nodiscard]] std::set<ino_t> inodes_of(const std::vector<int>& fds);

/// One walk through what /proc shows of a worker.  It ends where there is too much, for a worker
/// may have any number of processes, threads and descriptors, and make more meanwhile.
class Walk {
public:
    struct Limits {
        std::size_t processes = 1'000;
        std::size_t entries = 100'000; ///< threads, descriptors, and what else is counted
    };

    explicit Walk(Limits limits) noexcept : limits_{limits} {}
    Walk() noexcept : Walk{Limits{}} {}

    /// `process` and all that descend from it, at the moment; nothing if those are too many.
    [[nodiscard]] std::optional<std::vector<pid_t>> family_of(pid_t process);

    /// Counts one more thing that is looked at; false if that is too many.
    [[nodiscard]] bool count() noexcept
    {
        if (limits_.entries == 0)
            return false;
        --limits_.entries;
        return true;
    }

    /// Calls `visit` with the entries of `folder` until it returns false, or they are too many. The
    /// error says that the folder cannot be read, too_many_files_open that there was too much.
    template <typename Visit>
    [[nodiscard]] std::error_code visit_all(const std::filesystem::path& folder, Visit visit)
    {
        std::error_code error;
        std::filesystem::directory_iterator place{folder, error};
        // A process may end meanwhile; then what is behind a plain ++ throws.
        for (; !error && place != std::filesystem::directory_iterator{}; place.increment(error)) {
            if (!count())
                return make_error_code(std::errc::too_many_files_open);
            if (!visit(place->path()))
                break;
        }
        return error;
    }

private:
    Limits limits_;
};

} // namespace usher::proc
