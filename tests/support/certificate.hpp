// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/shell.hpp"
#include "tests/support/temp_dir.hpp"

namespace usher::test {

/// Puts `key.pem` and `cert.pem` of a TLS server into `folder`.
inline void make_certificate(const TempDir& folder)
{
    const std::string path = folder.path();
    std::ignore = output_of("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
                            "-nodes -days 1 -subj /CN=localhost -keyout " +
                            path + "/key.pem -out " + path + "/cert.pem 2>&1");
}

} // namespace usher::test
