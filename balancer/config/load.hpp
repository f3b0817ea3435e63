// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/config/trusted_file.hpp"
#include "balancer/config/units/variables.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// Reads and decodes a configuration file.  Throws ConfigError, also for a file that cannot be
/// read.
///
/// A pool may still lack its command or its listeners, which the command line can add:
/// validate() checks for them.
[[nodiscard]] Config load_config(const std::filesystem::path& file, FileKind kind = FileKind::any);

/// A variable of this process's environment.
[[nodiscard]] std::optional<std::string> own_variable(const std::string& name);

/// Decodes the text of a configuration file, which errors call `file_name`; its strings may have
/// variables in them, see expand().  Throws ConfigError.
[[nodiscard]] Config decode_config(std::string_view text, std::string_view file_name,
                                   VariableLookup variables = own_variable);

/// The configuration with all its defaults as JSON, which decode_config() reads back as it was.
/// A pool without a command has no "command".  Bytes that are no UTF-8 are replaced.
///
/// Throws std::invalid_argument for an address that parse_listen_address() refuses.
[[nodiscard]] std::string dump_config(const Config& config);

} // namespace usher
