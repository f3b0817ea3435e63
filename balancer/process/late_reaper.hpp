// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/process/cgroup.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/query.hpp>

#include <list>
#include <memory>

#include <sys/types.h>

namespace usher {

/// Reaps children that were killed, and for whose end nobody waits any more: a process may hang in
/// the kernel, where no signal reaches it (a file on FUSE, a dead NFS server).
///
/// One for each event loop, which it never keeps from ending.
class LateReaper final : public boost::asio::execution_context::service {
public:
    static inline boost::asio::execution_context::id id;

    explicit LateReaper(boost::asio::execution_context& context) : service{context} {}

    /// That of the loop that `executor` belongs to.
    [[nodiscard]] static LateReaper& of(const boost::asio::any_io_executor& executor)
    {
        return boost::asio::use_service<LateReaper>(
            boost::asio::query(executor, boost::asio::execution::context));
    }

    /// Reaps `pid`, whose end `pidfd` tells of, and removes `cgroup` then.  Without a pidfd, or
    /// while somebody traces it, no event tells: then at the next one's end.
    void take(pid_t pid, boost::asio::posix::stream_descriptor pidfd,
              std::shared_ptr<sys::Cgroup> cgroup) noexcept;

    /// Reaps those that have ended by now.
    void reap_ended() noexcept;

    /// Removes `cgroup`, whose inhabitants were killed, as soon as the last of them has gone; one
    /// may hang in the kernel, so for 5 s only.
    static void remove(const boost::asio::any_io_executor& executor,
                       std::shared_ptr<sys::Cgroup> cgroup) noexcept;

    /// The loop is to end: they are init's, now and later.
    void abandon() noexcept;

private:
    struct Child {
        pid_t pid;
        boost::asio::posix::stream_descriptor pidfd;
        std::shared_ptr<sys::Cgroup> cgroup;
    };

    void shutdown() noexcept override { abandon(); }

    std::list<Child> children_;
    bool is_open_ = true;
};

} // namespace usher
