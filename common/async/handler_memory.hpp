// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/bind_allocator.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace usher {

/// Memory for the operation that one object waits for, so that the wait allocates nothing and so
/// cannot fail for want of memory.  A second operation at the same time gets memory of the heap.
class HandlerMemory {
public:
    [[nodiscard]] void* take(std::size_t size)
    {
        if (taken_ || size > sizeof memory_)
            return ::operator new(size);
        taken_ = true;
        return memory_;
    }

    void give_back(void* memory) noexcept
    {
        if (memory == memory_)
            taken_ = false;
        else
            ::operator delete(memory);
    }

private:
    alignas(std::max_align_t) std::byte memory_[320]; // a wait with a small handler takes some 200
    bool taken_ = false;
};

/// Shares the memory: Asio may give it back when the object that waited is gone.
template <typename T>
class HandlerAllocator {
public:
    using value_type = T;

    explicit HandlerAllocator(std::shared_ptr<HandlerMemory> memory) noexcept
        : memory_{std::move(memory)}
    {
    }
    template <typename U>
    HandlerAllocator(const HandlerAllocator<U>& other) noexcept : memory_{other.memory()}
    {
    }

    [[nodiscard]] T* allocate(std::size_t count)
    {
        return static_cast<T*>(memory_->take(count * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t) noexcept { memory_->give_back(memory); }

    [[nodiscard]] const std::shared_ptr<HandlerMemory>& memory() const noexcept { return memory_; }
    friend bool operator==(const HandlerAllocator&, const HandlerAllocator&) = default;

private:
    std::shared_ptr<HandlerMemory> memory_;
};

/// `handler`, with its operation in `memory`.
template <typename Handler>
[[nodiscard]] auto in_memory(const std::shared_ptr<HandlerMemory>& memory, Handler handler)
{
    return boost::asio::bind_allocator(HandlerAllocator<std::byte>{memory}, std::move(handler));
}

} // namespace usher
