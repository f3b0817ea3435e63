// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/process/cgroup.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace usher {

/// Removes `cgroup`, whose inhabitants were killed, as soon as the last of them has gone.  Keeps
/// the event loop running until then, but no longer than 5 s: a process may hang in the kernel.
void remove_when_empty(const boost::asio::any_io_executor& executor,
                       std::shared_ptr<sys::Cgroup> cgroup);

} // namespace usher
