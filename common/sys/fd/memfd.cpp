// SPDX-License-Identifier: MIT
#include "common/sys/fd/memfd.hpp"

#include "common/sys/syscall.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace usher::sys {

UniqueFd make_sealed_memfd(const char* name, std::size_t size)
{
    UniqueFd fd{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (!fd)
        throw_last_error("memfd_create");
    if (::ftruncate(fd.get(), static_cast<off_t>(size)) < 0)
        throw_last_error("ftruncate");
    if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        throw_last_error("F_ADD_SEALS");
    return fd;
}

UniqueFd make_text_memfd(const char* name, std::string_view text)
{
    UniqueFd fd{::memfd_create(name, MFD_CLOEXEC)};
    if (!fd)
        throw_last_error("memfd_create");
    while (!text.empty()) {
        const auto written = ::write(fd.get(), text.data(), text.size());
        if (written < 0)
            throw_last_error("memfd_create");
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::lseek(fd.get(), 0, SEEK_SET) < 0)
        throw_last_error("lseek");
    return fd;
}

} // namespace usher::sys
