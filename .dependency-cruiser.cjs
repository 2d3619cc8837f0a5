/** The import rules of CONTRIBUTING.md: what each part may know. */
const libs = (...names) => `^libs/(${names.join('|')})/`;
const mayNot = (name, from, to, comment) => ({
  name,
  severity: 'error',
  comment,
  from: { path: from },
  to: { path: to },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'Every import resolves, from a package that package.json names.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-development-packages-in-the-product',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    mayNot('platform-knows-nobody', '^libs/platform/', '^(libs/(?!platform/)|apps/)'),
    mayNot(
      'homomorphic-is-pure',
      '^libs/homomorphic/',
      '^(libs/(?!homomorphic/)|apps/|node_modules/(@nestjs|typeorm))',
    ),
    mayNot(
      'faces-know-only-themselves',
      '^libs/faces/',
      '^(libs/(?!faces/)|apps/|node_modules/(@nestjs|typeorm))',
    ),
    mayNot(
      'custody-knows-platform-and-homomorphic',
      '^libs/custody/',
      '^(libs/(?!(custody|platform|homomorphic)/)|apps/)',
    ),
    mayNot('audit-knows-platform', '^libs/audit/', '^(libs/(?!(audit|platform)/)|apps/)'),
    mayNot(
      'consent-knows-platform-audit-policy-and-statements',
      '^libs/consent/',
      '^(libs/(?!(consent|platform|audit|policy|statements)/)|apps/)',
    ),
    mayNot(
      'statements-know-platform-and-audit',
      '^libs/statements/',
      '^(libs/(?!(statements|platform|audit)/)|apps/)',
    ),
    mayNot('policy-knows-platform-and-audit', '^libs/policy/', '^(libs/(?!(policy|platform|audit)/)|apps/)'),
    mayNot(
      'webhooks-know-platform-and-audit',
      '^libs/webhooks/',
      '^(libs/(?!(webhooks|platform|audit)/)|apps/)',
    ),
    mayNot(
      'incidents-know-platform-audit-policy-and-webhooks',
      '^libs/incidents/',
      '^(libs/(?!(incidents|platform|audit|policy|webhooks)/)|apps/)',
    ),
    mayNot('only-apps-know-incidents', '^libs/(?!incidents/)', '^libs/incidents/'),
    mayNot('backup-knows-neither-jobs-nor-webhooks', '^libs/backup/', '^(libs/(jobs|webhooks|faces)/|apps/)'),
    mayNot('only-apps-back-up', '^libs/(?!(backup|records)/)', '^libs/backup/'),
    mayNot(
      'retention-knows-what-it-destroys-and-whom-it-tells',
      '^libs/retention/',
      '^(libs/(?!(retention|platform|audit|policy|consent|biometrics|webhooks)/)|apps/)',
    ),
    mayNot('who-knows-retention', '^libs/(?!(retention|backup|records)/)', '^libs/retention/'),
    mayNot('records-know-no-app', '^libs/records/', '^apps/'),
    mayNot('only-apps-ask-for-records', '^libs/(?!records/)', '^libs/records/'),
    mayNot('auth-knows-platform-and-audit', '^libs/auth/', '^(libs/(?!(auth|platform|audit)/)|apps/)'),
    mayNot(
      'biometrics-knows-neither-auth-nor-jobs',
      '^libs/biometrics/',
      '^(libs/(auth|jobs|officers|approvals)/|apps/)',
    ),
    mayNot(
      'officers-know-platform-audit-and-auth',
      '^libs/officers/',
      '^(libs/(?!(officers|platform|audit|auth)/)|apps/)',
    ),
    mayNot(
      'approvals-know-officers-besides',
      '^libs/approvals/',
      '^(libs/(?!(approvals|officers|platform|audit|auth)/)|apps/)',
    ),
    mayNot(
      'only-apps-approvals-and-backup-know-officers',
      '^libs/(?!(officers|approvals|backup)/)',
      '^libs/officers/',
    ),
    mayNot('only-apps-ask-for-approvals', '^libs/(?!approvals/)', '^libs/approvals/'),
    mayNot('jobs-do-not-know-auth', '^libs/jobs/', '^(libs/auth/|apps/)'),
    mayNot(
      'rotation-knows-platform-and-audit',
      '^libs/rotation/',
      '^(libs/(?!(rotation|platform|audit)/)|apps/)',
    ),
    mayNot(
      'rights-know-neither-auth-nor-jobs',
      '^libs/rights/',
      '^(libs/(auth|jobs|custody|faces|homomorphic)/|apps/)',
    ),
    mayNot('no-app-imports-another', '^apps/([^/]+)/', '^apps/(?!$1/)'),
    mayNot('nothing-imports-tests-or-launchers', '^(apps|libs)/', '^(test|bench|infra)/'),
    {
      name: 'internal-stays-inside',
      severity: 'error',
      comment: 'libs/<name>/internal is imported by libs/<name> alone.',
      from: { path: '^(libs/[^/]+|apps|test|bench|infra)/' },
      to: { path: '^libs/[^/]+/internal/', pathNot: '^$1/' },
    },
    mayNot(
      'libs-do-not-speak-http',
      '^libs/',
      '^node_modules/(@nestjs/swagger|@nestjs/platform-express|express|multer)/',
    ),
    {
      name: 'only-platform-drives-postgresql',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/platform/' },
      to: { path: '^node_modules/pg/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ['source', 'node', 'import', 'default'],
      exportsFields: ['exports'],
    },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
  },
};
