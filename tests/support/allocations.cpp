// SPDX-License-Identifier: MIT
#include "tests/support/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> allocations{0};
std::atomic<bool> fail{false};

void* counted(void* memory)
{
    if (memory == nullptr || fail.load(std::memory_order_relaxed)) {
        std::free(memory);
        throw std::bad_alloc{};
    }
    allocations.fetch_add(1, std::memory_order_relaxed);
    return memory;
}

} // namespace

namespace usher::test {

std::size_t allocation_count() noexcept
{
    return allocations.load(std::memory_order_relaxed);
}

void fail_allocations(bool failing) noexcept
{
    fail.store(failing, std::memory_order_relaxed);
}

} // namespace usher::test

// The other forms end in these.
void* operator new(std::size_t size)
{
    return counted(std::malloc(size));
}

void* operator new(std::size_t size, std::align_val_t alignment)
{
    const auto step = static_cast<std::size_t>(alignment);
    return counted(std::aligned_alloc(step, (size + step - 1) / step * step));
}

void operator delete(void* memory) noexcept
{
    std::free(memory);
}

void operator delete(void* memory, std::size_t /*size*/) noexcept
{
    std::free(memory);
}

void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept
{
    std::free(memory);
}

void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept
{
    std::free(memory);
}
