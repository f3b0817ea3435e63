// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/completion/shape.hpp"

// What a shell reads, as a file or by `source`, to complete what `program` says.

namespace usher::completion::bash {
[[nodiscard]] std::string script(const Part& program);
}
namespace usher::completion::fish {
[[nodiscard]] std::string script(const Part& program);
}
namespace usher::completion::zsh {
[[nodiscard]] std::string script(const Part& program);
}
