import { AuthModule } from '#auth/auth.module';
import { type Config, loadConfig } from '#platform/config';
import { PlatformModule } from '#platform/platform.module';
import { type DynamicModule, type INestApplicationContext, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';

@Module({})
class CliModule {}

/** For commands of an operator, which speak to the database and not to the API. */
export async function inApp<R>(
  work: (app: INestApplicationContext) => Promise<R>,
  modules: readonly (Type | DynamicModule)[] = [AuthModule],
  config: Config = loadConfig(),
): Promise<R> {
  const root = {
    module: CliModule,
    imports: [PlatformModule.forRoot(config, 'velum-cli'), CqrsModule.forRoot(), ...modules],
  };
  const app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}
