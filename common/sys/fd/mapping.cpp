// SPDX-License-Identifier: MIT
#include "common/sys/fd/mapping.hpp"

#include "common/sys/syscall.hpp"

#include <sys/mman.h>

namespace usher::sys {

Mapping::Mapping(int fd, std::size_t size) : data_{nullptr, Unmap{size}}
{
    void* const address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED)
        throw_last_error("mmap");
    data_.reset(address);
}

void Mapping::Unmap::operator()(void* data) const noexcept
{
    ::munmap(data, size);
}

} // namespace usher::sys
