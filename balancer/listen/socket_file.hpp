// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
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

    /// Changes the file's permissions; does nothing for an empty object.
    void set_mode(unsigned mode) const noexcept;

private:
    struct Bound {
        std::string path;
        std::pair<dev_t, ino_t> identity;
    };
    struct Remove {
        void operator()(const Bound* bound) const noexcept;
    };

    std::unique_ptr<const Bound, Remove> bound_; ///< null also if there was no socket
};

} // namespace usher
