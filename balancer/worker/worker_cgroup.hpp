// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/run_as_config.hpp"
#include "balancer/dialect/worker_identity.hpp"
#include "common/sys/process/cgroup.hpp"

#include <memory>
#include <string>

namespace usher {

/// A cgroup of its own for the worker `identity`, below the cgroup `folder`; null if it is to share
/// the master's, or has to: then `trouble` says why.
///
/// Throws std::runtime_error if `mode` is `on` and it cannot be made.
[[nodiscard]] std::shared_ptr<sys::Cgroup> make_worker_cgroup(CgroupMode mode,
                                                              const std::string& folder,
                                                              const WorkerIdentity& identity,
                                                              std::string& trouble);

/// Removes from the cgroup `folder` what masters that have died left there, as far as nobody lives
/// in it.
void remove_leftover_cgroups(const std::string& folder) noexcept;

} // namespace usher
