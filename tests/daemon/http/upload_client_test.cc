#include <gtest/gtest.h>

#include "daemon/http/upload_client.h"

namespace varve {
namespace {

const std::vector<std::string> kProxies = {"127.0.0.1", "10.0.0.9", "2001:db8::9"};

TEST(UploadClientTest, IsThePeerUnlessThatIsATrustedProxy) {
  EXPECT_EQ(UploadClient("192.0.2.1", "", kProxies), "192.0.2.1");
  EXPECT_EQ(UploadClient("192.0.2.1", "198.51.100.7", kProxies), "192.0.2.1");
  EXPECT_EQ(UploadClient("127.0.0.1", "198.51.100.7", {}), "127.0.0.1");
  EXPECT_EQ(UploadClient("127.0.0.1", "198.51.100.7", kProxies), "198.51.100.7");
  EXPECT_EQ(UploadClient("127.0.0.1", "", kProxies), "127.0.0.1");
}

TEST(UploadClientTest, BelievesOnlyWhatTrustedProxiesWrote) {
  EXPECT_EQ(UploadClient("127.0.0.1", "203.0.113.5, 198.51.100.7", kProxies), "198.51.100.7");
  EXPECT_EQ(UploadClient("127.0.0.1", "203.0.113.5,198.51.100.7 , 10.0.0.9", kProxies),
            "198.51.100.7");
  EXPECT_EQ(UploadClient("127.0.0.1", "10.0.0.9", kProxies), "10.0.0.9");
}

TEST(UploadClientTest, TakesAnIpv6NetworkAsOneClient) {
  EXPECT_EQ(UploadClient("2001:db8:1:2:3:4:5:6", "", kProxies), "2001:db8:1:2::/64");
  EXPECT_EQ(UploadClient("2001:DB8:1:2::77", "", kProxies), "2001:db8:1:2::/64");
  EXPECT_EQ(UploadClient("2001:db8:0::9", "2001:db8:5::1", kProxies), "2001:db8:5::/64");
  EXPECT_EQ(UploadClient("::ffff:192.0.2.1", "", kProxies), "192.0.2.1");
  EXPECT_EQ(UploadClient("::ffff:127.0.0.1", "198.51.100.7", kProxies), "198.51.100.7");
}

TEST(UploadClientTest, PassesWhatIsNoAddress) {
  EXPECT_EQ(UploadClient("uid:1000", "198.51.100.7", kProxies), "uid:1000");
  EXPECT_EQ(UploadClient("", "198.51.100.7", kProxies), "");
  EXPECT_EQ(UploadClient("uid:1000", "198.51.100.7", {"unix"}), "198.51.100.7");
  EXPECT_EQ(UploadClient("uid:1000", "", {"unix"}), "uid:1000");
  for (const char* odd :
       {"unknown", ",", " , ", "198.51.100.7:8080", "_hidden, junk", "999.1.1.1", "\x01"}) {
    EXPECT_EQ(UploadClient("127.0.0.1", odd, kProxies), "127.0.0.1") << odd;
  }
}

TEST(ClientAddressTest, IsTheWholeAddressPastTrustedProxies) {
  EXPECT_EQ(ClientAddress("127.0.0.1", "203.0.113.5, 2001:db8:1:2::7", kProxies),
            "2001:db8:1:2::7");
  EXPECT_EQ(ClientAddress("127.0.0.1", "203.0.113.5, 198.51.100.7, 10.0.0.9", kProxies),
            "198.51.100.7");
  EXPECT_EQ(ClientAddress("192.0.2.1", "198.51.100.7", kProxies), "192.0.2.1");
  EXPECT_EQ(ClientAddress("127.0.0.1", "198.51.100.7", {}), "127.0.0.1");
  EXPECT_EQ(ClientAddress("127.0.0.1", "junk", kProxies), "127.0.0.1");
  EXPECT_EQ(ClientAddress("uid:33", "198.51.100.7", {"unix"}), "198.51.100.7");
  EXPECT_EQ(ClientAddress("uid:33", "junk", {"unix"}), "uid:33");
  EXPECT_EQ(ClientAddress("uid:33", "198.51.100.7", kProxies), "uid:33");
}

}  // namespace
}  // namespace varve
