// SPDX-License-Identifier: MIT
#include "balancer/listen/socket_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace usher {

SocketFile::SocketFile(std::string path) : path_{std::move(path)}, identity_{identity_of(path_)}
{
    if (identity_ == Identity{}) // it is gone already, or what is there now is not ours to remove
        path_.clear();
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_{std::exchange(other.path_, {})}, identity_{other.identity_}
{
}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept
{
    std::swap(path_, other.path_);
    std::swap(identity_, other.identity_);
    return *this;
}

SocketFile::~SocketFile()
{
    if (!path_.empty() && identity_of(path_) == identity_)
        ::unlink(path_.c_str());
}

void SocketFile::set_mode(unsigned mode) const noexcept
{
    if (!path_.empty() && identity_of(path_) == identity_)
        ::chmod(path_.c_str(), mode);
}

SocketFile::Identity SocketFile::identity_of(const std::string& path) noexcept
{
    struct stat status {};
    if (::lstat(path.c_str(), &status) < 0 || !S_ISSOCK(status.st_mode))
        return {};
    return {status.st_dev, status.st_ino};
}

} // namespace usher
