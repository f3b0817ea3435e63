// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/node_config.hpp"
#include "balancer/dialect/node/channel/relayed_message.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace usher {

/// The workers of a pool whose programs hear each other's messages, as from a primary that sends
/// what each of them sends to all others.
///
/// Lives as a shared pointer: what is to be sent at the end of the turn holds it weakly.
class NodeRelay final : public std::enable_shared_from_this<NodeRelay> {
public:
    /// A worker, which must leave() before its end.
    class Member {
    public:
        [[nodiscard]] virtual NodeConfig::Serialization serialization() const noexcept = 0;

        /// Keeps a message for its program; null if it was sent one that it could not read.
        virtual void keep(RelayedMessage::Bytes message) = 0;

        /// Sends what it has kept, as far as that goes now.
        virtual void send_kept() = 0;

    protected:
        ~Member() = default;
    };

    explicit NodeRelay(boost::asio::any_io_executor executor) noexcept;

    void join(Member& member);
    void leave(const Member& member) noexcept;

    /// Gives `payload`, a message as NodeFrames cuts it out, to all members but `sender`.  What
    /// comes in one turn of the event loop is sent at its end, with a system call for many.
    void relay(const Member& sender, std::string_view payload);

private:
    void send_soon();

    boost::asio::any_io_executor executor_;
    std::vector<Member*> members_;
    bool is_due_ = false; ///< they will send what they have kept
};

} // namespace usher
