// SPDX-License-Identifier: MIT
#include "balancer/config/dump.hpp"

#include "balancer/config/tables.hpp"

#include <nlohmann/json.hpp>

namespace usher {

std::string dump_config(const Config& config)
{
    return write_object(config, config_table()).dump(2, ' ', false, Json::error_handler_t::replace);
}

} // namespace usher
