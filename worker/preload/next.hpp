// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdio>

#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

/// The functions behind the ones that this library puts in front of them: libc's, or those of
/// another library that was loaded in between.
namespace usher::preload::next {

template <typename Function>
class Next;

/// One function, found when it is first wanted: another library's constructor may call before
/// ours has run.
template <typename Result, typename... Args, bool Noexcept>
class Next<Result(Args...) noexcept(Noexcept)> {
public:
    explicit constexpr Next(const char* name) noexcept : name_{name} {}

    Result operator()(Args... args) { return get()(args...); }

    auto get() noexcept -> Result (*)(Args...)
    {
        void* found = found_.load(std::memory_order_relaxed);
        if (found == nullptr) {
            found = ::dlsym(RTLD_NEXT, name_);
            found_.store(found, std::memory_order_relaxed);
        }
        return reinterpret_cast<Result (*)(Args...)>(found);
    }

private:
    const char* name_;
    std::atomic<void*> found_{nullptr};
};

inline constinit Next<decltype(::accept4)> accept4{"accept4"};
inline constinit Next<decltype(::bind)> bind{"bind"};
inline constinit Next<decltype(::connect)> connect{"connect"};
inline constinit Next<int(const char*, char* const*) noexcept> execvp{"execvp"};
inline constinit Next<decltype(::getpeername)> getpeername{"getpeername"};
inline constinit Next<decltype(::getsockname)> getsockname{"getsockname"};
inline constinit Next<decltype(::getsockopt)> getsockopt{"getsockopt"};
inline constinit Next<decltype(::listen)> listen{"listen"};
inline constinit Next<int(const char*) noexcept> remove{"remove"};
inline constinit Next<decltype(::setsockopt)> setsockopt{"setsockopt"};
inline constinit Next<int(const char*) noexcept> unlink{"unlink"};
inline constinit Next<int(int, const char*, int) noexcept> unlinkat{"unlinkat"};

/// Looks up all of them, so that a signal handler never has to.
inline void look_up() noexcept
{
    const auto each = [](auto&... functions) { (static_cast<void>(functions.get()), ...); };
    each(accept4, bind, connect, execvp, getpeername, getsockname, getsockopt, listen, remove,
         setsockopt, unlink, unlinkat);
}

} // namespace usher::preload::next
