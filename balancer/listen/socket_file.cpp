// SPDX-License-Identifier: MIT
#include "balancer/listen/socket_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

using Identity = std::pair<dev_t, ino_t>; // zeros: it is no socket

Identity identity_of(const std::string& path) noexcept
{
    struct stat status {};
    if (::lstat(path.c_str(), &status) < 0 || !S_ISSOCK(status.st_mode))
        return {};
    return {status.st_dev, status.st_ino};
}

} // namespace

SocketFile::SocketFile(std::string path)
{
    // It may be gone already, and what is there now is not ours to remove.
    if (const auto identity = identity_of(path); identity != Identity{})
        bound_.reset(new Bound{.path = std::move(path), .identity = identity});
}

void SocketFile::Remove::operator()(const Bound* bound) const noexcept
{
    const std::unique_ptr<const Bound> owner{bound};
    if (identity_of(bound->path) == bound->identity)
        ::unlink(bound->path.c_str());
}

void SocketFile::set_mode(unsigned mode) const noexcept
{
    if (bound_ && identity_of(bound_->path) == bound_->identity)
        ::chmod(bound_->path.c_str(), mode);
}

} // namespace usher
