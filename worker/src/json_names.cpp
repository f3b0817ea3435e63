// SPDX-License-Identifier: MIT
#include "worker/src/json_names.hpp"

#include <algorithm>

extern "C" {
#include "worker/c/json.h"
}

namespace usher::worker::detail {

std::vector<std::string> json_names(std::string_view list)
{
    std::vector<std::string> names;
    for (std::size_t begin = 0; (begin = list.find('"', begin)) != std::string_view::npos;) {
        std::size_t end = begin + 1;
        while (end < list.size() && list[end] != '"')
            end += list[end] == '\\' ? 2 : 1;
        end = std::min(end + 1, list.size());
        std::string name{list.substr(begin, end - begin)};
        name.resize(uw_json_unquote({list.data() + begin, end - begin}, name.data()));
        names.push_back(std::move(name));
        begin = end;
    }
    return names;
}

} // namespace usher::worker::detail
