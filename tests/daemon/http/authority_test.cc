#include <string>

#include "daemon/http/authority.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace varve {
namespace {

TEST(ParseAuthority, HostsAndPorts) {
  const struct {
    const char* text;
    const char* host;
    const char* port;
  } cases[] = {
      {"", "", ""},
      {"localhost", "localhost", ""},
      {"LocalHost:5000", "localhost", "5000"},
      {"registry.example.com.", "registry.example.com", ""},
      {"host:", "host", ""},
      {"127.0.0.1:5000", "127.0.0.1", "5000"},
      {"[::1]:5000", "[::1]", "5000"},
      {"[FE80::1]", "[fe80::1]", ""},
      {"[v1.a:b]", "[v1.a:b]", ""},
      {"a_b-c~d!$&'()*+,;=", "a_b-c~d!$&'()*+,;=", ""},
      {"a%2Eb:1", "a%2eb", "1"},
  };
  for (const auto& expected : cases) {
    const std::optional<Authority> authority = ParseAuthority(expected.text);
    ASSERT_TRUE(authority.has_value()) << expected.text;
    EXPECT_EQ(authority->host, expected.host) << expected.text;
    EXPECT_EQ(authority->port, expected.port) << expected.text;
  }
}

TEST(ParseAuthority, WhatTheGrammarDoesNotHave) {
  for (const char* text : {"a b",
                           "user@host",
                           "host:port",
                           "host:80:80",
                           "::1",
                           "[::1",
                           "::1]",
                           "[::1]x",
                           "[]",
                           "[1.2.3.4]",
                           "[fe80::1%25eth0]",
                           "[v1.]",
                           "[v.a]",
                           "[vx.a]",
                           "http://host",
                           "host/path",
                           "a%",
                           "a%4",
                           "a%zz",
                           "a\"b",
                           "a<b",
                           "caf\xc3\xa9",
                           "a\tb",
                           "a,b c"}) {
    EXPECT_FALSE(ParseAuthority(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseAuthority(std::string_view("a\0b", 3)).has_value());
}

TEST(NamesThisMachine, NamesThatAStrangerCannotResolve) {
  for (const char* host : {"", "localhost", "myhost", "127.0.0.1", "10.1.2.3", "[::1]",
                           "[::ffff:127.0.0.1]", "varve.localhost", "a.b.localhost"}) {
    EXPECT_TRUE(NamesThisMachine(host, {})) << host;
  }
  for (const char* host :
       {"evil.example.com", "localhost.example.com", "127.0.0.1.example.com", "notlocalhost.com",
        "1.2.3", "1.2.3.4.5", "0x7f.0.0.1", "evil%2eexample%2ecom", "mylocalhost.x"}) {
    EXPECT_FALSE(NamesThisMachine(host, {})) << host;
    EXPECT_TRUE(NamesThisMachine(host, {"other.example.com", host})) << host;
    EXPECT_TRUE(NamesThisMachine(host, {"*"})) << host;
  }
  EXPECT_FALSE(NamesThisMachine("sub.registry.example.com", {"registry.example.com"}));
}

TEST(IsOriginOf, HostAndPortMustBeTheSame) {
  const struct {
    const char* origin;
    const char* host;
    bool same;
  } cases[] = {
      {"http://127.0.0.1:5000", "127.0.0.1:5000", true},
      {"http://LOCALHOST:5000", "localhost:5000", true},
      {"https://registry.example.com", "registry.example.com", true},
      {"https://registry.example.com", "registry.example.com:443", true},
      {"http://registry.example.com:80", "registry.example.com", true},
      {"http://[::1]:5000", "[::1]:5000", true},
      {"http://127.0.0.1:8080", "127.0.0.1:5000", false},
      {"http://localhost:5000", "127.0.0.1:5000", false},
      {"https://registry.example.com", "registry.example.com:80", false},
      {"https://evil.example.com", "registry.example.com", false},
      {"null", "127.0.0.1:5000", false},
      {"", "", false},
      {"http://user@127.0.0.1:5000", "127.0.0.1:5000", false},
      {"http://127.0.0.1:5000/path", "127.0.0.1:5000", false},
  };
  for (const auto& expected : cases) {
    EXPECT_EQ(IsOriginOf(expected.origin, *ParseAuthority(expected.host)), expected.same)
        << expected.origin << " for " << expected.host;
  }
}

}  // namespace
}  // namespace varve
