// SPDX-License-Identifier: MIT
// Asio's own sources, compiled once for the whole project (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
