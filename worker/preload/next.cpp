// SPDX-License-Identifier: MIT
#include "worker/preload/next.hpp"

#include <atomic>

#include <dlfcn.h>

namespace usher::preload::next {

namespace {

/// One function, found when it is first wanted: another library's constructor may call before
/// ours has run.
template <typename Function>
class Next {
public:
    explicit constexpr Next(const char* name) noexcept : name_{name} {}

    Function* get() noexcept
    {
        void* found = found_.load(std::memory_order_relaxed);
        if (found == nullptr) {
            found = ::dlsym(RTLD_NEXT, name_);
            found_.store(found, std::memory_order_relaxed);
        }
        return reinterpret_cast<Function*>(found);
    }

private:
    const char* name_;
    std::atomic<void*> found_{nullptr};
};

constinit Next<decltype(::accept4)> next_accept4{"accept4"};
constinit Next<decltype(::bind)> next_bind{"bind"};
constinit Next<decltype(::connect)> next_connect{"connect"};
constinit Next<decltype(::getpeername)> next_getpeername{"getpeername"};
constinit Next<decltype(::getsockname)> next_getsockname{"getsockname"};
constinit Next<decltype(::getsockopt)> next_getsockopt{"getsockopt"};
constinit Next<decltype(::listen)> next_listen{"listen"};
constinit Next<decltype(::setsockopt)> next_setsockopt{"setsockopt"};

} // namespace

int accept4(int fd, sockaddr* address, socklen_t* size, int flags)
{
    return next_accept4.get()(fd, address, size, flags);
}

int bind(int fd, const sockaddr* address, socklen_t size)
{
    return next_bind.get()(fd, address, size);
}

int connect(int fd, const sockaddr* address, socklen_t size)
{
    return next_connect.get()(fd, address, size);
}

int getpeername(int fd, sockaddr* address, socklen_t* size)
{
    return next_getpeername.get()(fd, address, size);
}

int getsockname(int fd, sockaddr* address, socklen_t* size)
{
    return next_getsockname.get()(fd, address, size);
}

int getsockopt(int fd, int level, int option, void* value, socklen_t* size)
{
    return next_getsockopt.get()(fd, level, option, value, size);
}

int listen(int fd, int backlog)
{
    return next_listen.get()(fd, backlog);
}

int setsockopt(int fd, int level, int option, const void* value, socklen_t size)
{
    return next_setsockopt.get()(fd, level, option, value, size);
}

void look_up() noexcept
{
    next_accept4.get();
    next_bind.get();
    next_connect.get();
    next_getpeername.get();
    next_getsockname.get();
    next_getsockopt.get();
    next_listen.get();
    next_setsockopt.get();
}

} // namespace usher::preload::next
