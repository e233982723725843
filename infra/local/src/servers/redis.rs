//! Redis from the system's packages.

use std::{fs, process::Command};

use crate::{
    certificates,
    checkout::write_file,
    error::{ErrorContext, Result},
    install::system::SystemPackage,
    probe::{self, ProbeResult},
    process::detached,
    progress::ProgressStep,
    stack::LocalStack,
};

use super::server::LocalServer;

pub(crate) struct RedisServer;

impl LocalServer for RedisServer {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn variable(&self) -> &'static str {
        "REDIS_URL"
    }

    fn ports(&self, stack: &LocalStack) -> Vec<u16> {
        vec![stack.ports.redis()]
    }

    fn packages(&self) -> Vec<SystemPackage> {
        vec![SystemPackage::Redis]
    }

    fn install(&self, _: &ProgressStep) -> Result<()> {
        Ok(())
    }

    fn prepare(&self, stack: &LocalStack) -> Result<()> {
        let data = stack.checkout.local("data/redis");
        fs::create_dir_all(&data).context(|| format!("{} cannot be created", data.display()))?;
        let settings = format!(
            "bind 127.0.0.1\nport 0\ntls-port {}\ntls-cert-file \"{}\"\ntls-key-file \"{}\"\ntls-ca-cert-file \"{}\"\n\
             tls-auth-clients no\nrequirepass {}\ndir \"{}\"\ndaemonize no\nsave \"\"\nappendonly yes\nappendfsync everysec\n",
            stack.ports.redis(),
            certificates::certificate(&stack.checkout).display(),
            certificates::key(&stack.checkout).display(),
            certificates::authority(&stack.checkout).display(),
            stack.secrets.redis,
            data.display()
        );
        write_file(&stack.checkout.local("etc/redis.conf"), &settings)
    }

    fn command(&self, stack: &LocalStack) -> Result<Command> {
        let mut command = detached("redis-server");
        command.arg(stack.checkout.local("etc/redis.conf"));
        Ok(command)
    }

    fn probe(&self, stack: &LocalStack) -> ProbeResult<String> {
        probe::redis(&stack.endpoint(stack.ports.redis()), &stack.secrets.redis)
    }

    fn set_up(&self, _: &LocalStack) -> Result<()> {
        Ok(())
    }
}
