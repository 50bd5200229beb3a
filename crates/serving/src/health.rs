//! The health of each service, as `grpc.health.v1` reports it: it goes up and down with the
//! conditions that the service needs, and stays down once the server drains.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Mutex;
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};

/// The health of a server and of its services; clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    draining: bool,
    services: BTreeMap<&'static str, Service>,
}

/// One service, which is SERVING while all of its conditions are met.
#[derive(Debug, Default)]
struct Service {
    conditions: Vec<bool>,
    /// What was reported last.
    serving: Option<bool>,
}

/// One thing that a service needs. It is unmet at first.
#[derive(Debug)]
pub struct Condition {
    health: Health,
    service: &'static str,
    at: usize,
}

impl Health {
    /// Health of a server whose services are all SERVING; the server as a whole is the empty name.
    pub(crate) async fn new(services: &[&'static str]) -> Self {
        let names = services.iter().copied().chain([""]);
        let health = Self {
            reporter: HealthReporter::new(),
            state: Arc::new(Mutex::new(State {
                draining: false,
                services: names.map(|name| (name, Service::default())).collect(),
            })),
        };
        health.report(&mut *health.state.lock().await).await;
        health
    }

    /// Adds a condition to a service, which is NOT_SERVING until it is met.
    pub async fn condition(&self, service: &'static str) -> Condition {
        let mut state = self.state.lock().await;
        let conditions = &mut state.services.entry(service).or_default().conditions;
        conditions.push(false);
        let at = conditions.len() - 1;
        self.report(&mut state).await;
        Condition {
            health: self.clone(),
            service,
            at,
        }
    }

    /// Reports NOT_SERVING for everything from now on.
    pub(crate) async fn drain(&self) {
        let mut state = self.state.lock().await;
        state.draining = true;
        self.report(&mut state).await;
    }

    /// The gRPC service.
    pub(crate) fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    /// Reports what has changed, under the caller's lock: reports come in the order of the
    /// changes, and a watcher hears of each once.
    async fn report(&self, state: &mut State) {
        for (&name, service) in &mut state.services {
            let serving = !state.draining && service.conditions.iter().all(|&met| met);
            if service.serving.replace(serving) == Some(serving) {
                continue;
            }
            let status = match serving {
                true => ServingStatus::Serving,
                false => ServingStatus::NotServing,
            };
            self.reporter.set_service_status(name, status).await;
        }
    }
}

impl Condition {
    /// States whether the condition is met now.
    pub async fn set(&self, met: bool) {
        let mut state = self.health.state.lock().await;
        if let Some(service) = state.services.get_mut(self.service) {
            service.conditions[self.at] = met;
        }
        self.health.report(&mut state).await;
    }
}

#[cfg(test)]
mod tests {
    use tonic::Request;
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus as Wire,
        health_server::Health as _,
    };

    use super::*;

    async fn check(health: &Health, service: &str) -> Wire {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let service = HealthService::from_health_reporter(health.reporter.clone());
        let response = service.check(Request::new(request)).await.unwrap();
        response.into_inner().status()
    }

    #[tokio::test]
    async fn a_service_goes_up_and_down_with_its_conditions_and_drains_for_good() {
        let health = Health::new(&["ranking", "weights"]).await;
        assert_eq!(check(&health, "ranking").await, Wire::Serving);
        let (one, other) = (
            health.condition("ranking").await,
            health.condition("ranking").await,
        );
        one.set(true).await;
        assert_eq!(check(&health, "ranking").await, Wire::NotServing);
        other.set(true).await;
        assert_eq!(check(&health, "ranking").await, Wire::Serving);
        one.set(false).await;
        assert_eq!(check(&health, "ranking").await, Wire::NotServing);
        assert_eq!(check(&health, "weights").await, Wire::Serving);
        assert_eq!(check(&health, "").await, Wire::Serving);
        health.drain().await;
        one.set(true).await;
        for service in ["", "ranking", "weights"] {
            assert_eq!(check(&health, service).await, Wire::NotServing);
        }
    }
}
