// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>

#include <sys/resource.h>

/// Descriptors of this process.  What fails throws std::system_error.
namespace usher::test {

struct Pipe {
    sys::UniqueFd reader;
    sys::UniqueFd writer;
};

/// Both ends close-on-exec.
[[nodiscard]] Pipe make_pipe();

/// A descriptor that costs nothing: /dev/null, close-on-exec.
[[nodiscard]] sys::UniqueFd open_null();

/// A second descriptor of the same open file, numbered `lowest` or above.
[[nodiscard]] sys::UniqueFd duplicate(int fd, int lowest = 0);

[[nodiscard]] bool is_open(int fd);
[[nodiscard]] bool is_close_on_exec(int fd);
[[nodiscard]] bool is_non_blocking(int fd);

/// True if both numbers name the same open pipe, socket or file.
[[nodiscard]] bool same_file(int a, int b);

[[nodiscard]] std::ptrdiff_t open_fd_count();

/// Lowers RLIMIT_NOFILE until the end of the scope.
///
/// Not under valgrind, which keeps a limit of its own, nor with UBSan's check of vptr, which looks
/// at objects through a pipe and takes a full descriptor table for a bad object.
class ScopedFdLimit {
public:
    /// Leaves room for exactly `spare` more descriptors.
    explicit ScopedFdLimit(std::size_t spare);

    /// Sets the limit itself.
    [[nodiscard]] static ScopedFdLimit at(std::size_t limit);

    ScopedFdLimit(const ScopedFdLimit&) = delete;
    ScopedFdLimit& operator=(const ScopedFdLimit&) = delete;
    ~ScopedFdLimit();

private:
    struct Exact {
        std::size_t limit;
    };
    explicit ScopedFdLimit(Exact exact);

    rlimit saved_{};
};

} // namespace usher::test
