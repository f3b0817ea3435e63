// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/line_writer.hpp"
#include "common/sys/fd/trusted_place.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/types.h>

namespace usher {

/// A file of lines that makes place for the next one when it is full: `file` becomes `file.1`,
/// `file.1` becomes `file.2` and so on, always between two lines.
///
/// What is no regular file (a FIFO, a device) is written to and never renamed, and neither is what
/// a path such as /dev/stdout means: a descriptor that usher was started with.  A path that is a
/// link stays one; it is what it leads to that is renamed.
///
/// Others may cut the file, move it away or put another in its place at any time, as logrotate
/// does, so that nothing of it is remembered that can be asked.
///
/// Others may be able to write to the folder, a worker for one: what they put in the file's place
/// leads to no other file, and is refused unless it is a file of the folder's owner or ours.
class LogFile final : public LineWriter::Target {
public:
    struct Limits {
        std::uint64_t max_size = 0; ///< bytes; a single longer line still gets a file of its own
        unsigned max_files = 1;     ///< how many full ones are kept
    };

    /// Opens `path` to append to it, made with mode 0640 if need be.  Throws std::system_error.
    LogFile(std::string path, Limits limits);

    /// Writes whole lines.  Waits only as long as the file system does.
    [[nodiscard]] Result write(std::string_view lines) override;
    void wait() override;

    /// Opens the path anew, since somebody has renamed the file; the old one is kept on failure.
    [[nodiscard]] std::error_code reopen();

    void set_limits(Limits limits) noexcept;

    /// Gives the descriptor away, whose close may wait for a disk.  Nothing is written afterwards.
    [[nodiscard]] sys::UniqueFd release() noexcept { return std::move(fd_); }

    [[nodiscard]] bool is_regular() const noexcept { return regular_; }

    /// True if both were opened under one name in one folder, however the paths are written.  Also
    /// for others than the writer's thread.
    [[nodiscard]] bool has_place_of(const LogFile& other) const
    {
        return identity() == other.identity();
    }

private:
    /// A place that can be compared.
    struct Identity {
        dev_t device = 0;
        ino_t folder = 0;
        std::string name{};

        friend bool operator==(const Identity&, const Identity&) = default;
    };

    [[nodiscard]] Identity identity() const;
    [[nodiscard]] std::uint64_t size() const noexcept;
    [[nodiscard]] bool is_at_its_place() const noexcept;
    [[nodiscard]] std::size_t fitting(std::string_view lines) noexcept;
    [[nodiscard]] std::error_code rotate();
    [[nodiscard]] std::error_code open();
    void forget_torn_line() noexcept;

    std::string path_;
    sys::Place place_;  ///< the path's, when it was last looked up
    Identity identity_; ///< of that, also for other threads
    mutable std::mutex identity_mutex_;
    Limits limits_;
    sys::UniqueFd fd_;
    bool regular_ = false; ///< and ours to rename and to cut
    bool shared_ = false;  ///< a descriptor that usher was started with
    std::uint64_t rotate_at_ = 0;
    std::size_t torn_ = 0;   ///< bytes since the last end of a line
    bool is_behind_ = false; ///< somebody had a lease on what is to be opened in its place
    bool end_line_ = false;  ///< a torn line could not be taken back: end it before the next
};

} // namespace usher
