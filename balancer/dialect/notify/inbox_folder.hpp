// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>

#include <cstdint>
#include <string>

#include <sys/types.h>

namespace usher {

/// The folder of this process in which inboxes have their names, so that the kernel lets nobody
/// send there but the worker's user and root: `usher-XXXXXX` in $RUNTIME_DIRECTORY, /run (of root),
/// $XDG_RUNTIME_DIR or /tmp, the first where one can be made.
///
/// One for each event loop.  A lock on it says that its owner lives; what a dead one has left
/// behind is removed when the next one is made at the same place.
class InboxFolder final : public boost::asio::execution_context::service {
public:
    static inline boost::asio::execution_context::id id;

    explicit InboxFolder(boost::asio::execution_context& context) : service{context} {}
    ~InboxFolder() override { remove(); }

    /// That of the loop that `executor` belongs to.
    [[nodiscard]] static InboxFolder& of(const boost::asio::any_io_executor& executor)
    {
        return boost::asio::use_service<InboxFolder>(
            boost::asio::query(executor, boost::asio::execution::context));
    }

    /// A datagram socket bound to a `path` of its own, to which `user` and root can send.  Null:
    /// there can be none, for the reason that take_trouble() tells.  The file is the caller's to
    /// remove.
    [[nodiscard]] sys::UniqueFd make_socket(uid_t user, std::string& path);

    /// Why there can be none: one clause, told once.
    [[nodiscard]] std::string take_trouble();

    /// Removes the folder and what is in it; no other is made.
    void remove() noexcept;

private:
    void shutdown() noexcept override { remove(); }
    void make();
    bool make_in(const std::string& parent);
    sys::UniqueFd fail(const std::string& reason);

    std::string path_;   ///< empty: there is none
    sys::UniqueFd lock_; ///< on it
    bool was_tried_ = false;
    std::string trouble_;
    bool has_told_ = false;
    std::uint64_t last_name_ = 0;
};

} // namespace usher
