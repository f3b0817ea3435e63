// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>

#include <sys/types.h>

namespace usher {

/// The file that a Unix listener is bound to; the destructor removes it, unless by then the path
/// is somebody else's.
class SocketFile {
public:
    SocketFile() noexcept = default;

    /// `path` is bound now.
    explicit SocketFile(std::string path);

    SocketFile(SocketFile&& other) noexcept;
    SocketFile& operator=(SocketFile&& other) noexcept;
    SocketFile(const SocketFile&) = delete;
    SocketFile& operator=(const SocketFile&) = delete;
    ~SocketFile();

    /// Changes the file's permissions; does nothing for an empty object.
    void set_mode(unsigned mode) const noexcept;

private:
    using Identity = std::pair<dev_t, ino_t>; ///< zeros: it is no socket

    [[nodiscard]] static Identity identity_of(const std::string& path) noexcept;

    std::string path_;
    Identity identity_;
};

} // namespace usher
