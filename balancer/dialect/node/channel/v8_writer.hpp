// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

/// Plain data as V8's serializer writes it, so that every Node can read it.
namespace usher::node {

/// The same value as `json`, which is valid and has no key twice in an object; with the header.
[[nodiscard]] std::string v8_of_json(std::string_view json);

} // namespace usher::node
