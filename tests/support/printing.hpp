// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/process/exit_status.hpp"
#include "common/sys/socket/socket_address.hpp"
#include "common/wire/control.hpp"
#include "common/wire/handoff.hpp"

#include <ostream>

/// How a failed check shows our types.
namespace usher {

namespace sys {

inline std::ostream& operator<<(std::ostream& out, const ExitStatus& status)
{
    return out << status.to_string();
}

} // namespace sys

namespace wire {

inline std::ostream& operator<<(std::ostream& out, const Address& address)
{
    out << "family " << static_cast<unsigned>(address.family) << " port " << address.port
        << " scope " << address.scope_id << " bytes";
    for (const unsigned byte : address.bytes)
        out << ' ' << byte;
    return out;
}

inline std::ostream& operator<<(std::ostream& out, const HandoffRecord& record)
{
    return out << "id " << record.id << " at " << record.accepted_at << " listener "
               << record.listener << " flags " << record.flags << " peer {" << record.peer
               << "} local {" << record.local << '}';
}

inline std::ostream& operator<<(std::ostream& out, const Hello& message)
{
    return out << "hello protocol " << message.protocol << " max_batch " << message.max_batch;
}

inline std::ostream& operator<<(std::ostream& out, const Ready& /*message*/)
{
    return out << "ready";
}

inline std::ostream& operator<<(std::ostream& out, const Bye& message)
{
    return out << "bye \"" << message.reason << '"';
}

inline std::ostream& operator<<(std::ostream& out, const UnknownMessage& message)
{
    return out << "unknown \"" << message.type << '"';
}

inline std::ostream& operator<<(std::ostream& out, const MalformedMessage& message)
{
    return out << "malformed: " << message.reason;
}

inline std::ostream& operator<<(std::ostream& out, const ControlMessage& message)
{
    return std::visit([&out](const auto& m) -> std::ostream& { return out << m; }, message);
}

} // namespace wire

} // namespace usher
