// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/wire/handoff.hpp"

#include <boost/intrusive/list_hook.hpp>

#include <cstdint>

namespace usher {

/// Where listeners give the connections that they accept.
class ConnectionSink {
public:
    /// Something that accepts connections and had to stop because there was no room.
    class Source : public boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    public:
        /// There is room again, or was a moment ago: ask.
        virtual void resume() = 0;

    protected:
        virtual ~Source() = default;
    };

    /// True if a worker can take a new connection now, as of the beginning of the batch.
    [[nodiscard]] virtual bool has_room() noexcept = 0;

    /// Means `fd` for the worker whose turn it is.  Ask has_room() first, and call flush() before
    /// control returns to the event loop.
    virtual void give(sys::UniqueFd fd, const wire::HandoffRecord& record) = 0;

    /// Sends what was given.
    virtual void flush() = 0;

    /// Calls `source.resume()` once there may be room; again only after another call.
    virtual void wait_for_room(Source& source) = 0;
    virtual void forget(Source& source) noexcept = 0;

    /// A number that no other connection given here has.
    [[nodiscard]] std::uint64_t next_connection_id() noexcept { return ++last_connection_id_; }

protected:
    ~ConnectionSink() = default;

private:
    std::uint64_t last_connection_id_ = 0;
};

} // namespace usher
