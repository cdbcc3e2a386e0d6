// SPDX-License-Identifier: Apache-2.0
#include "source/server/admin/config_dump.h"

#include <string>

#include "absl/strings/match.h"
#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace culvert::server {
namespace {

constexpr char kBootstrap[] = R"pb(
  node { id: "n" cluster: "cl" }
  static_resources {
    listeners {
      name: "l"
      address { socket_address { address: "127.0.0.1" port_value: 0 } }
    }
    clusters { name: "c" connect_timeout { nanos: 250000000 } }
    clusters { name: "d" }
  }
)pb";

class ConfigDumpTest : public testing::Test {
protected:
  ConfigDumpTest() {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kBootstrap, &bootstrap_));
    ClusterView cluster;
    cluster.name = "c";
    cluster.hosts.resize(1);
    cluster.hosts[0].address = *net::Address::parseIp("127.0.0.1", 19020);
    source_.clusters.push_back(cluster);
  }

  std::string dump(const ConfigDumpQuery& query) {
    const absl::StatusOr<std::string> result = configDump(source_, query);
    return result.ok() ? *result : result.status().ToString();
  }

  envoy::config::bootstrap::v3::Bootstrap bootstrap_;
  envoy::admin::v3::SecretsConfigDump secrets_;
  ConfigDumpSource source_{
      bootstrap_, base::WallTime(std::chrono::milliseconds(1'700'000'000'123)), {}, {}, secrets_};
};

TEST_F(ConfigDumpTest, ShowsAllOfTheConfiguration) {
  EXPECT_EQ(dump({}), R"({
 "configs": [
  {
   "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
   "bootstrap": {
    "node": {
     "id": "n",
     "cluster": "cl"
    },
    "static_resources": {
     "listeners": [
      {
       "name": "l",
       "address": {
        "socket_address": {
         "address": "127.0.0.1",
         "port_value": 0
        }
       }
      }
     ],
     "clusters": [
      {
       "name": "c",
       "connect_timeout": "0.250s"
      },
      {
       "name": "d"
      }
     ]
    }
   },
   "last_updated": "2023-11-14T22:13:20.123Z"
  },
  {
   "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
   "static_clusters": [
    {
     "cluster": {
      "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
      "name": "c",
      "connect_timeout": "0.250s"
     },
     "last_updated": "2023-11-14T22:13:20.123Z"
    },
    {
     "cluster": {
      "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
      "name": "d"
     },
     "last_updated": "2023-11-14T22:13:20.123Z"
    }
   ]
  },
  {
   "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
   "static_listeners": [
    {
     "listener": {
      "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
      "name": "l",
      "address": {
       "socket_address": {
        "address": "127.0.0.1",
        "port_value": 0
       }
      }
     },
     "last_updated": "2023-11-14T22:13:20.123Z"
    }
   ]
  },
  {
   "@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump"
  }
 ]
}
)");
}

// Recorded from Envoy 1.40, as are the errors.
TEST_F(ConfigDumpTest, ShowsOneResourceThroughAMask) {
  ConfigDumpQuery query;
  query.resource = "static_clusters";
  query.mask = "cluster.name";
  query.name_regex = "c";
  EXPECT_EQ(dump(query), R"({
 "configs": [
  {
   "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster",
   "cluster": {
    "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "name": "c"
   }
  }
 ]
}
)");
  query.name_regex = "zz";
  EXPECT_EQ(dump(query), "{}\n");
}

TEST_F(ConfigDumpTest, ShowsOnlyTheConfigurationThatTheMaskFits) {
  ConfigDumpQuery query;
  query.mask = "bootstrap.node.id";
  EXPECT_EQ(dump(query), R"({
 "configs": [
  {
   "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
   "bootstrap": {
    "node": {
     "id": "n"
    }
   }
  }
 ]
}
)");
}

TEST_F(ConfigDumpTest, ShowsEndpointsWhenAsked) {
  ConfigDumpQuery query;
  query.resource = "static_endpoint_configs";
  EXPECT_EQ(dump(query), "NOT_FOUND: static_endpoint_configs not found in config dump");
  query.include_eds = true;
  EXPECT_EQ(dump(query), R"({
 "configs": [
  {
   "@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump.StaticEndpointConfig",
   "endpoint_config": {
    "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "cluster_name": "c",
    "endpoints": [
     {
      "locality": {},
      "lb_endpoints": [
       {
        "endpoint": {
         "address": {
          "socket_address": {
           "address": "127.0.0.1",
           "port_value": 19020
          }
         },
         "health_check_config": {}
        },
        "health_status": "HEALTHY",
        "load_balancing_weight": 1
       }
      ],
      "load_balancing_weight": 0
     }
    ],
    "policy": {
     "overprovisioning_factor": 140
    }
   }
  }
 ]
}
)");
}

TEST_F(ConfigDumpTest, RefusesAsEnvoyDoes) {
  ConfigDumpQuery query;
  query.resource = "nope";
  EXPECT_EQ(dump(query), "NOT_FOUND: nope not found in config dump");
  query.resource = "bootstrap";
  EXPECT_EQ(dump(query), "INVALID_ARGUMENT: bootstrap is not a repeated field. Use ?mask=bootstrap "
                         "to get only this field");
  query = {};
  query.mask = "bogus_field";
  EXPECT_EQ(dump(query), "INVALID_ARGUMENT: FieldMask bogus_field could not be successfully "
                         "applied to any configs.");
  query = {};
  query.name_regex = "(";
  EXPECT_EQ(dump(query), "INVALID_ARGUMENT: INVALID_ARGUMENT: Error while parsing name_regex from "
                         "(: missing ): (");
}

TEST_F(ConfigDumpTest, ShowsNoSecrets) {
  envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext tls;
  auto& certificate = *tls.mutable_common_tls_context()->add_tls_certificates();
  certificate.mutable_certificate_chain()->set_inline_string("public");
  certificate.mutable_private_key()->set_inline_string("very private");
  certificate.mutable_password()->set_inline_bytes("very private");
  bootstrap_.mutable_static_resources()
      ->mutable_listeners(0)
      ->add_filter_chains()
      ->mutable_transport_socket()
      ->mutable_typed_config()
      ->PackFrom(tls);
  ConfigDumpQuery query;
  query.resource = "static_listeners";
  const std::string text = dump(query);
  EXPECT_TRUE(absl::StrContains(text, "\"inline_string\": \"public\""));
  EXPECT_TRUE(absl::StrContains(text, "\"inline_string\": \"[redacted]\""));
  EXPECT_TRUE(absl::StrContains(text, "\"inline_bytes\": \"W3JlZGFjdGVkXQ==\""));
  EXPECT_FALSE(absl::StrContains(text, "very private"));
}

} // namespace
} // namespace culvert::server
