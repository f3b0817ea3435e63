// SPDX-License-Identifier: MIT
#include "common/sys/fd/mapping.hpp"

#include "common/sys/syscall.hpp"

#include <sys/mman.h>

namespace usher::sys {

Mapping::Mapping(int fd, std::size_t size)
{
    const int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
    void* const address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (address == MAP_FAILED)
        throw_last_error("mmap");
    data_ = address;
    size_ = size;
}

Mapping::~Mapping()
{
    if (data_ != nullptr)
        ::munmap(data_, size_);
}

} // namespace usher::sys
