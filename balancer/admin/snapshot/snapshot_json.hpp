// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/snapshot/master_snapshot.hpp"

#include <string>

namespace usher {

/// What `usher status --json` prints, one line, as docs/status.schema.json has it.  What nobody can
/// tell is null; what does not apply is left out.
[[nodiscard]] std::string to_json(const MasterSnapshot& snapshot);

} // namespace usher
