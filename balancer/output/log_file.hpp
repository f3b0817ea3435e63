// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/line_writer.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace usher {

/// A file of lines that makes place for the next one when it is full: `file` becomes `file.1`,
/// `file.1` becomes `file.2` and so on, always between two lines.
///
/// What is no regular file (a FIFO, a device) is written to and never renamed.
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

    [[nodiscard]] bool is_regular() const noexcept { return regular_; }

private:
    [[nodiscard]] std::size_t fitting(std::string_view lines) const noexcept;
    [[nodiscard]] std::error_code rotate();
    void adopt(sys::UniqueFd fd) noexcept;
    void forget_torn_line() noexcept;

    std::string path_;
    Limits limits_;
    sys::UniqueFd fd_;
    bool regular_ = false;
    std::uint64_t size_ = 0;
    std::uint64_t rotate_at_ = 0;
    std::size_t torn_ = 0;  ///< bytes since the last end of a line
    bool end_line_ = false; ///< a torn line could not be taken back: end it before the next
};

} // namespace usher
